variable "board" {
  type    = string
  default = "the board in the hall"
}

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
    description = "On call for the shop."
    watches     = [hypothesis.answers, "the queue", var.board]
  }

  observer "dba" {}

  manual "switch" {
    instructions = "Take the replica out of the pool."
    who          = observer.dba
    before       = "injection"
    timeout      = "5m"
  }

  manual "tell" {
    instructions = "Say in the channel what you see."
    start        = "10s"
    confirm      = false
  }

  manual "failover" {
    instructions = <<-EOT
      Promote the replica, as the runbook says.
    EOT
    who          = observer.sre
    after        = fault.freeze
    start        = "2s"
    timeout      = "20s"
  }

  fault "pause" "freeze" {
    target   = target.store
    duration = "20s"
  }
}
