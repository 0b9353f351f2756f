target "api" {
  name = # ERROR: Invalid expression
}
