scenario "api_replica_dies" {
  title    = "Checkout survives the death of one api replica"
  tags     = ["checkout", "redundancy"]
  baseline = "10s"
  recovery = "12s"

  description = <<-EOT
    We run two api replicas so that one may die at any time: on a bad host, in a deployment, at night. That only helps if
    the frontend notices at once and sends people to the other one. Nobody should see an error, and nobody should wait long.
  EOT

  assumption "one_replica_is_enough" {
    description = "A single api replica carries the whole load of this hour."
  }

  hypothesis "checkout_keeps_working" {
    description = "Fewer than 1 in 100 checkouts fail while a replica is dead."
    query       = local.errors
    expect      = value < 0.01
  }

  hypothesis "checkout_stays_quick" {
    description = "99 of 100 checkouts are answered within half a second."
    query       = local.p99
    expect      = value < 0.5
  }

  hypothesis "the_other_replica_copes" {
    description = "No line of checkouts grows in front of the replica that is left."
    query       = "max(queue_waiting_requests{job=\"api\"})"
    expect      = value < 20
  }

  hypothesis "the_replica_is_used_again" {
    description = "The frontend finds the replica by itself once it is back: none is put aside for two seconds on end."
    query       = "sum(min_over_time(replica_put_aside{job=\"frontend\"}[2s]))"
    expect      = value == 0
    phases      = ["baseline", "recovery"]
  }

  alert "ContainerDown" {
    description = "Whoever is on call hears that a replica is gone."
    within      = "8s"
  }

  guardrail "checkout_is_down" {
    description = "Half of the checkouts fail: people are hurt, stop at once."
    query       = local.errors
    abort_when  = value > 0.5
    for         = "3s"
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
    protect      = [target.store, target.frontend]
  }

  fault "kill" "replica_dies" {
    description = "One api replica is killed and stays away."
    target      = target.one_api
    start       = "1s"
    duration    = "12s" # then it is started again
  }
}
