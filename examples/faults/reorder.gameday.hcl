# reorder, duplicate and corrupt are what a network does that is broken and not down: a bonded link that is set up wrongly, a
# switch that sends twice, a cable that flips bits. TCP mends all three, so the question is what that costs.

scenario "network_in_disorder" {
  title    = "A network that reorders, repeats and damages packets is hardly felt"
  tags     = ["network", "reorder", "duplicate", "corrupt"]
  baseline = "6s"
  recovery = "9s"

  description = <<-EOT
    Three things are wrong with the network at once, each between two services. None of them drops a connection, and TCP puts
    everything right: what comes twice is thrown away, what comes too early waits, what is damaged is sent again.
  EOT

  hypothesis "checkout_keeps_working" {
    description = "Fewer than 1 in 100 checkouts fail."
    query       = local.errors
    expect      = value < 0.01
  }

  hypothesis "checkout_stays_quick" {
    description = "9 of 10 checkouts are answered within half a second."
    query       = local.p90
    expect      = value < 0.5
  }

  blast_radius {
    max_targets  = 4
    max_duration = "1m"
  }

  fault "reorder" "late_packets" {
    description = "Every fifth packet from the frontend is held back, so that others overtake it."
    target      = target.frontend
    peers       = [target.api]
    percent     = 20
    duration    = "5s"
  }

  fault "duplicate" "packets_twice" {
    target   = target.api
    peers    = [target.store]
    percent  = 20
    duration = "5s"
  }

  fault "corrupt" "flipped_bits" {
    target   = target.store
    peers    = [target.api]
    percent  = 2
    duration = "5s"
  }
}
