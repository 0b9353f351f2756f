target "api" {
  compose_service = "api"
}

target "store" {
  name = "store-1"
}

scenario "empty" { # ERROR: No fault
}

scenario "kinds" {
  fault "http" "slow" { # ERROR: Fault kind not built yet
    target = target.api
    delay  = "300ms"
  }

  fault "dns" "gone" { # ERROR: Fault kind not built yet
    names = ["*"]
  }

  fault "pauze" "typo" { # ERROR: Unknown fault kind
    target = target.api
  }

  fault "pause" "no_duration" { # ERROR: Missing argument
    target = target.api
    after  = fault.slow
  }

  fault "stop" "no_duration_either" { # ERROR: Missing argument # ERROR: Missing argument
  }

  fault "pause" "typos" {
    target   = target.api
    duraton  = "1s" # ERROR: Unsupported argument
    duration = "1s"
    grace    = "1s" # ERROR: Unsupported argument
    undo {} # ERROR: Unsupported block type
  }

  fault "kill" "signals" {
    target = target.api
    signal = "TREM" # ERROR: Invalid signal
  }

  fault "kill" "numbers" {
    target = target.api
    signal = "65" # ERROR: Invalid signal
  }

  fault "kill" "number" {
    target = target.api
    signal = 9 # ERROR: Wrong type
  }

  fault "crash" "nothing" {
    target = target.api
    signal = "KILL" # ERROR: Unsupported argument
  }

  fault "pause" "only_kind" "three" { # ERROR: Extraneous label for fault
  }

  fault "pause" { # ERROR: Missing name for fault
  }
}

scenario "circles" {
  fault "kill" "a" {
    target = target.api
    after  = fault.c # ERROR: Faults in a circle
  }

  fault "kill" "b" {
    target = target.api
    after  = fault.a
  }

  fault "kill" "c" {
    target = target.api
    after  = fault.b
  }

  fault "kill" "d" {
    target = target.api
    after  = fault.d # ERROR: Faults in a circle
  }

  fault "kill" "e" {
    target = target.api
    after  = fault.d
  }
}

scenario "radius" {
  blast_radius {
    max_duration = "1m" # ERROR: Schedule longer than max_duration
    max_targets  = 0 # ERROR: Number out of range
    protect      = [target.store]
  }

  blast_radius { # ERROR: Duplicate block
  }

  fault "pause" "long" {
    target   = target.store # ERROR: Protected target
    start    = "10s"
    duration = "40s"
  }

  fault "pause" "later" {
    target   = target.api
    after    = fault.long
    duration = "11s"
  }
}

scenario "radius_list" {
  blast_radius {
    max_targets = 1.5 # ERROR: Number out of range
    protect     = target.store # ERROR: Wrong type
  }

  fault "kill" "now" {
    target = target.api
  }
}
