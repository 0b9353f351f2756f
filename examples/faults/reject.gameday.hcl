# reject is what a closed port does, or a firewall that says no: whoever knocks is told at once. That is the kindest way in which
# a service can be out of reach. partition.gameday.hcl does the unkind one, and asks the same.

scenario "store_refuses" {
  title    = "People hear at once that the store refuses orders"
  tags     = ["store", "network", "reject"]
  baseline = "8s"
  recovery = "8s"

  description = <<-EOT
    After a deployment nothing listens on the store's port. Checkouts fail while that lasts, and nothing can be done about it; but a
    quick no is worth much more to people than a slow one, and keeps everything in between free.
  EOT

  hypothesis "people_are_answered_quickly" {
    description = "Whether it is a yes or a no, 9 of 10 people have their answer within 0.3 seconds."
    query       = local.p90
    expect      = value < 0.3
  }

  hypothesis "nothing_piles_up" {
    description = "No more than 100 checkouts are in the hands of the api."
    query       = "sum(http_requests_in_flight{job=\"api\"})"
    expect      = value < 100
  }

  # That checkouts fail while the store refuses them is no surprise, so it is not asked then.
  hypothesis "checkout_is_back_soon" {
    description = "7 seconds after the store listens again hardly any checkout fails."
    query       = local.errors
    expect      = value < 0.01
    phases      = ["baseline", "recovery"]
    within      = "7s"
  }

  blast_radius {
    max_targets  = 2
    max_duration = "1m"
    protect      = [target.store]
  }

  fault "reject" "store_refuses" {
    target   = target.api
    peers    = [target.store]
    with     = "tcp-reset" # connections that are open are ended by it as well
    duration = "7s"
  }
}
