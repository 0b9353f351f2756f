# stop is what a deployment or a host that is drained does: the main process is asked to end (SIGTERM) and has the grace time
# to finish what it is doing; then it is killed. It stays stopped for the duration, and is started again.

scenario "store_is_stopped" {
  title    = "A stopped store is an error at once, and no more than that"
  tags     = ["store", "stop"]
  baseline = "10s"
  recovery = "12s"

  description = <<-EOT
    A store that is down is a simpler case than one that is frozen, but not as simple as it looks: the address of a stopped
    container refuses nothing, packets to it vanish. So the api has to give up connecting in time. Checkouts fail while this
    lasts; but nothing may pile up, and all must be well as soon as the store is back.
  EOT

  hypothesis "nothing_piles_up" {
    description = "No more than 100 checkouts are in the hands of the api."
    query       = "sum(http_requests_in_flight{job=\"api\"})"
    expect      = value < 100
  }

  # Judged in two phases only: that checkouts fail without a store is no surprise. "within" says by when, counted from the
  # start of the phase.
  hypothesis "checkout_is_back_soon" {
    description = "10 seconds after the store's return hardly any checkout fails."
    query       = local.errors
    expect      = value < 0.01
    phases      = ["recovery"]
    within      = "10s"
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
  }

  fault "stop" "store_is_down" {
    target   = target.store
    grace    = "5s"
    duration = "8s"
  }
}
