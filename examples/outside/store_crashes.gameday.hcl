# The shop from outside: nothing here reads a metric of the shop's own. What the engine tells of every container is recorded anyway,
# and a probe asks whether the store answers. This is how a program is rehearsed that nobody has instrumented.

variable "project" {
  description = "The compose project that the shop runs as."
  type        = string
  default     = "shop"
}

prometheus "own" {
  interval = "500ms"

  probe "http" "store" {
    target  = target.store
    port    = 8080
    path    = "/healthz"
    timeout = "400ms"
  }
}

target "store" {
  compose_project = var.project
  compose_service = "store"
}

scenario "store_crashes" {
  title    = "A store without metrics crashes, and is judged from outside"
  tags     = ["store", "crash", "outside"]
  baseline = "6s"
  recovery = "12s"

  description = <<-EOT
    Nobody knows any more how to put metrics into the store. We want to know all the same whether it is back after a crash,
    whether it is as it was, and what its end does to the containers around it.
  EOT

  hypothesis "the_store_answers" {
    description = "It is away for 6 seconds at most."
    query       = "probe_success{job=\"store\"}"
    expect      = value == 1
    tolerate    = "6s"
  }

  # The engine counts what the restart policy does. A start by hand shows in container_start_time_seconds.
  hypothesis "the_policy_restarts_it" {
    description = "The restart policy starts it again, within 6 seconds."
    query       = "container_restarts_total{service=\"store\"}"
    expect      = value > baseline
    phases      = ["recovery"]
    within      = "6s"
  }

  hypothesis "it_needs_no_more_memory" {
    description = "The new process soon needs no more than twice the memory of the old one."
    query       = "container_memory_working_set_bytes{service=\"store\"}"
    expect      = value < 2 * baseline
    phases      = ["recovery"]
    within      = "10s"
  }

  # The neighbours are watched without being named anywhere.
  hypothesis "the_others_go_on" {
    description = "No other container ends."
    query       = "container_state{service!=\"store\",state=\"running\"}"
    expect      = value == 1
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
  }

  # Without a duration the way back is left to the restart policy.
  fault "crash" "store_crashes" {
    target = target.store
  }
}
