locals {
  c = "${a b}" # ERROR: Extra characters after interpolation expression
}
