# memory lowers the limit of memory: what a container can do without, the kernel takes away, and what asks for more than the limit is
# killed. Here the limit is one that an api replica never comes to. Everything that is asked stays true, and it proves nothing:
# gameday asks the kernel how often the limit was met, and calls the run inconclusive.

scenario "api_has_a_limit_of_memory" {
  title    = "An api replica gets by with half a gigabyte of memory"
  tags     = ["api", "memory"]
  baseline = "6s"
  recovery = "5s"

  description = <<-EOT
    The machine is to be shared by more services, so each api replica is to have a limit of memory. Somebody has put half a
    gigabyte into the proposal. Does the api get by with that, and would we notice if it did not?
  EOT

  hypothesis "checkout_keeps_working" {
    description = "Fewer than 1 in 100 checkouts fail."
    query       = local.errors
    expect      = value < 0.01
  }

  hypothesis "all_replicas_answer" {
    description = "The kernel kills neither: both replicas answer all the time."
    query       = "sum(up{job=\"api\"})"
    expect      = value == 2
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
  }

  # The limit is changed in the container's control group, not with "docker update": afterwards it is what it was, also if it had none.
  fault "memory" "half_a_gigabyte" {
    target   = target.one_api
    limit    = "512MiB"
    duration = "5s"
  }
}
