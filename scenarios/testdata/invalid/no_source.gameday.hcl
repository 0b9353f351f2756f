target "api" {
  compose_service = "api"
}

scenario "blind" { # ERROR: No source of numbers
  guardrail "g" {
    query      = "up"
    abort_when = value == 0
  }

  fault "kill" "f" {
    target = target.api
  }
}
