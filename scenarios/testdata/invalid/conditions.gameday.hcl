variable "limits" {
  type    = list(number)
  default = [1, 2]
}

target "api" {
  compose_service = "api"
}

prometheus "own" {}

scenario "conditions" {
  hypothesis "quoted" {
    query  = "up"
    expect = "value < 1" # ERROR: Not a condition
  }

  hypothesis "a_number" {
    query  = "up"
    expect = value + 1 # ERROR: Not a condition
  }

  hypothesis "constant" {
    query  = "up"
    expect = 1 < 2 # ERROR: Condition never changes
  }

  hypothesis "only_baseline" {
    query  = "up"
    expect = baseline > 1 # ERROR: Condition never changes
  }

  hypothesis "decided" {
    query  = "up"
    expect = value < 1 || true # ERROR: Condition never changes
  }

  hypothesis "types" {
    query  = "up"
    expect = value < "high" # ERROR: Invalid operand
  }

  hypothesis "list" {
    query  = "up"
    expect = value < var.limits # ERROR: Invalid operand
  }

  hypothesis "division" {
    query  = "up"
    expect = value < 1 / 0 # ERROR: Operation failed
  }

  hypothesis "missing" { # ERROR: Missing argument # ERROR: Missing argument
    description = "Nothing."
  }

  hypothesis "words" {
    query   = "up"
    expect  = value == 1
    match   = "some" # ERROR: Unknown word
    no_data = "hold" # ERROR: Unknown word
    phases  = ["recover"] # ERROR: Unknown phase
  }

  hypothesis "phases" {
    query  = "up"
    expect = value == 1
    phases = [] # ERROR: Empty list
  }

  hypothesis "phases_twice" {
    query  = "up"
    expect = value == 1
    phases = ["fault", "fault"] # ERROR: Duplicate phase
  }

  hypothesis "strings" {
    query  = 5 # ERROR: Wrong type
    expect = value == 1
    phases = "fault" # ERROR: Wrong type
  }

  hypothesis "empty" {
    query  = "" # ERROR: Empty string
    expect = value == 1
  }

  guardrail "g" { # ERROR: Missing argument
    query   = "up"
    no_data = "stop" # ERROR: Unknown word
  }

  fault "kill" "f" {
    target = target.api
  }
}
