locals {
  a = "sum(up) %{job}" # ERROR: Invalid template control keyword
}
