scenario "store_freezes" {
  title    = "Checkout fails fast while the store is frozen"
  tags     = ["checkout", "timeouts"]
  baseline = "10s"
  recovery = "15s"

  description = <<-EOT
    A database that stalls, on a full disk, a long lock or a moving virtual machine, is worse than one that is down: it
    accepts connections and answers nothing. The question is what happens around it: does the api give up in time and say
    so, or does everything that waits for the store pile up?
  EOT

  assumption "stalls_are_short" {
    description = "The store comes back by itself, with everything it had."
  }

  hypothesis "people_are_answered_quickly" {
    description = "Whether it is a yes or a no, 99 of 100 people have their answer within half a second."
    query       = local.p99
    expect      = value < 0.5
  }

  hypothesis "most_checkouts_work" {
    description = "There are no more than 5 seconds in which half of the checkouts fail."
    query       = local.errors
    expect      = value < 0.5
    tolerate    = "5s"
  }

  hypothesis "nothing_piles_up" {
    description = "The api gives up on the store in time, so no more than 100 checkouts are in its hands."
    query       = "sum(http_requests_in_flight{job=\"api\"})"
    expect      = value < 100
  }

  hypothesis "the_shop_recovers_by_itself" {
    description = "Within 10 seconds of the store's return hardly any checkout fails, and nobody had to restart anything."
    query       = local.errors
    expect      = value < 0.01
    phases      = ["recovery"]
    within      = "10s"
  }

  alert "ContainerDown" {
    description = "Whoever is on call hears that the store does not answer."
    within      = "8s"
  }

  alert "CheckoutFails" {
    description = "Whoever is on call hears that checkouts fail."
    within      = "12s"
  }

  guardrail "the_pile_is_dangerous" {
    description = "So many requests wait that the api may run out of memory: stop at once."
    query       = "sum(http_requests_in_flight{job=\"api\"})"
    abort_when  = value > 10000
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
    protect      = [target.frontend, target.api]
  }

  fault "pause" "store_freezes" {
    description = "Every process of the store is frozen; its connections stay open."
    target      = target.store
    start       = "1s"
    duration    = "12s"
  }
}
