target "api" {
  name = 'x' # ERROR: Invalid character
}

target "other" {
  name = 'y' # ERROR: Invalid character
}
