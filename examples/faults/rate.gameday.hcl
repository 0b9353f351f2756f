# rate is what a thin line does: packets wait until there is room for them. As long as less is sent than fits, nobody notices,
# and gameday says that the fault hit nothing. As soon as more is sent, everyone waits longer and longer.

variable "line" {
  description = "How much one api replica can send."
  type        = string
  default     = "24kbit"
}

scenario "one_line_is_thin" {
  title    = "Checkout survives an api replica that is left with a thin line"
  tags     = ["api", "network", "bandwidth"]
  baseline = "8s"
  recovery = "9s"

  description = <<-EOT
    A replica whose network card has fallen back to its lowest speed is up, but too slow to be of use. It is harder to get rid
    of than a dead one: now and then one of its answers still comes in time. Does the frontend put it aside, and
    find it again when its line is good?
  EOT

  hypothesis "checkout_keeps_working" {
    description = "Fewer than 1 in 100 checkouts fail."
    query       = local.errors
    expect      = value < 0.01
  }

  # A try on the slow replica costs 300 ms, and then there is the other one.
  hypothesis "few_wait_long" {
    description = "9 of 10 checkouts are answered within 0.75 seconds."
    query       = local.p90
    expect      = value < 0.75
  }

  hypothesis "the_replica_is_used_again" {
    description = "8 seconds after its line is good again the frontend uses the replica."
    query       = "sum(replica_put_aside{job=\"frontend\"})"
    expect      = value == 0
    phases      = ["baseline", "recovery"]
    within      = "8s"
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
  }

  # Without peers it is for everything that the replica sends: to the frontend, to the store, and to us.
  fault "rate" "thin_line" {
    target   = target.one_api
    rate     = var.line
    duration = "8s"
  }
}
