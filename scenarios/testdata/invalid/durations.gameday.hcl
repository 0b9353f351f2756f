target "api" {
  compose_service = "api"
}

prometheus "own" {
  interval = "10ms" # ERROR: Invalid duration
}

scenario "durations" {
  baseline = "0s" # ERROR: Invalid duration
  recovery = "a while" # ERROR: Invalid duration

  hypothesis "h" {
    query    = "up"
    expect   = value == 1
    every    = "99ms" # ERROR: Invalid duration
    tolerate = "-1s" # ERROR: Invalid duration
  }

  hypothesis "i" {
    query    = "up"
    expect   = value == 1
    within   = "0s" # ERROR: Invalid duration
  }

  hypothesis "j" {
    query    = "up"
    expect   = value == 1
    within   = "10s" # ERROR: tolerate and within exclude each other
    tolerate = "10s"
  }

  fault "pause" "a" {
    target   = target.api
    start    = 30 # ERROR: Duration without a unit
    duration = "25h" # ERROR: Invalid duration
  }

  fault "pause" "b" {
    target   = target.api
    start    = true # ERROR: Wrong type
    duration = "" # ERROR: Invalid duration
  }

  fault "pause" "c" {
    target   = target.api
    duration = null # ERROR: Null value
  }
}
