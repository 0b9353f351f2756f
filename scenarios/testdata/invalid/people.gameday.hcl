target "store" {
  name = "shop-store"
}

prometheus "own" {}

scenario "failover" {
  baseline = "30s"
  recovery = "30s"

  hypothesis "answers" {
    query  = "up"
    expect = value == 1
  }

  observer "sre" {
    describtion = "On call." # ERROR: Unsupported argument
    watches     = [
      hypothesis.answer, # ERROR: Unknown hypothesis
      target.store,      # ERROR: Wrong kind of block
      3,                 # ERROR: Wrong type
    ]
  }

  observer "sre" {} # ERROR: Duplicate observer

  observer "dba" {
    watches = "all of it" # ERROR: Wrong type
  }

  manual "nothing" { # ERROR: Missing argument # ERROR: Missing time
  }

  manual "switch" { # ERROR: Missing argument
    instructions = "Take the replica out of the pool."
    who          = observer.dbs # ERROR: Unknown observer
    before       = "injection"
  }

  manual "who" {
    instructions = "Look."
    who          = "sre" # ERROR: Quoted name
    before       = "injektion" # ERROR: Unknown word
    timeout      = "1m"
  }

  manual "twice" {
    instructions = "Look."
    before       = "injection"
    start        = "10s" # ERROR: Two times
    timeout      = "1m"
  }

  manual "late" {
    instructions = "Look."
    after        = fault.freeze
    start        = "31s" # ERROR: Step after the end
  }

  manual "later" {
    instructions = "Look."
    start        = "1m" # ERROR: Step after the end
    confirm      = "no" # ERROR: Wrong type
  }

  manual "alone" {
    instructions = "Look."
    after        = fault.melt # ERROR: Unknown fault
    timeout      = 30         # ERROR: Duration without a unit
  }

  manual "unconfirmed" {
    instructions = "Look."
    start        = "1s"
    confirm      = false
    timeout      = "10s" # ERROR: Timeout without a confirmation
  }

  fault "pause" "freeze" {
    target   = target.store
    duration = "20s"
  }
}

manual "top" { # ERROR: Unsupported block type
  instructions = "Look."
}
