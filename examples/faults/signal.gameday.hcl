# signal tells a process something, by its name. STOP is the sharpest: the process stands still, and to everybody who looks from
# outside, "docker ps" and its policies among them, its container runs. (pause freezes all processes of a container, and the
# engine knows of it.)

scenario "api_hangs" {
  title    = "Checkout survives an api replica that hangs"
  tags     = ["api", "redundancy", "signal"]
  baseline = "8s"
  recovery = "8s"

  description = <<-EOT
    A deadlock, an endless loop, a debugger that somebody has forgotten: the process is there and does nothing. No restart
    policy acts, since nothing has ended. Does the frontend notice by itself, and how much of it do people notice?
  EOT

  hypothesis "checkout_keeps_working" {
    description = "Fewer than 1 in 100 checkouts fail."
    query       = local.errors
    expect      = value < 0.01
  }

  hypothesis "few_wait_long" {
    description = "9 of 10 checkouts are answered within half a second."
    query       = local.p90
    expect      = value < 0.5
  }

  hypothesis "the_replica_is_used_again" {
    description = "5 seconds after it goes on the frontend uses the replica again."
    query       = "sum(replica_put_aside{job=\"frontend\"})"
    expect      = value == 0
    phases      = ["baseline", "recovery"]
    within      = "5s"
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
  }

  # STOP lasts, so it needs a duration; its undo is CONT. Other signals, such as HUP or TERM, are over when they are sent.
  fault "signal" "api_hangs" {
    target   = target.one_api
    process  = "gameday" # as "ps" shows it; the shop is made of gameday's own binary
    signal   = "STOP"
    duration = "7s"
  }
}
