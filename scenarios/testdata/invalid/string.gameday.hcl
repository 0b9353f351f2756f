locals {
  a = "never closed # ERROR: Invalid multi-line string
}

target "api" {
  name = "x"
}
