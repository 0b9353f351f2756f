# cpu and stress together: a container with little CPU time, and a job in it that takes what it can get. Each of the two alone
# would hardly be felt here. A limit that is never reached would test nothing, and gameday says so.

scenario "a_job_runs_wild" {
  title    = "Checkout stays quick while a job runs wild in one api replica"
  tags     = ["api", "cpu", "stress"]
  baseline = "8s"
  recovery = "7s"

  description = <<-EOT
    An api replica may use a fifth of a core, which is ten times what it needs. Then somebody starts a report in its
    container. The kernel lets the two of them run for 20 ms of every 100, and then stops both: on the average nothing
    is wrong, and yet every answer may have to wait for the next 100 ms to begin.
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
    max_targets  = 1 # both faults are for the same replica: "one" is chosen once for each run
    max_duration = "1m"
  }

  # The limit is changed in the container's control group, not with "docker update": afterwards it is what it was, also if it had none.
  fault "cpu" "little_time" {
    target   = target.one_api
    limit    = 0.2
    duration = "8s"
  }

  fault "stress" "job_runs_wild" {
    target   = target.one_api
    cpu      = 1
    duration = "8s"
  }
}
