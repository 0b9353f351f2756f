# crash is what a bug does: the main process dies without anybody having asked Docker for it. Only so does a restart policy act;
# after "docker kill" (fault "kill") it stays silent, because that counts as stopped by hand.

scenario "api_crashes" {
  title    = "A crashed api replica comes back by itself"
  tags     = ["api", "crash"]
  baseline = "10s"
  recovery = "12s"

  description = <<-EOT
    Our replicas have a restart policy. Has anybody ever seen it work? Here one replica crashes, and nobody starts it
    again: neither we, nor gameday, unless the policy fails.
  EOT

  hypothesis "checkout_keeps_working" {
    description = "Fewer than 1 in 100 checkouts fail."
    query       = local.errors
    expect      = value < 0.01
  }

  # "up" is 1 for every container that can be scraped: the honest way to ask whether something is there.
  hypothesis "the_replica_is_back" {
    description = "Within 5 seconds both replicas answer again."
    query       = "sum(up{job=\"api\"})"
    expect      = value == 2
    phases      = ["recovery"]
    within      = "5s"
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
  }

  # Without a duration the way back is left to the restart policy.
  fault "crash" "replica_crashes" {
    target = target.one_api
  }
}
