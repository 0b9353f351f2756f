# oom is what a leak ends with: the container's memory is taken away until the kernel kills a process in it. Nobody is asked, and
# nothing is written to its log. As after a crash the restart policy acts.

scenario "api_runs_out_of_memory" {
  title    = "An api replica that runs out of memory comes back by itself"
  tags     = ["api", "memory", "oom"]
  baseline = "8s"
  recovery = "10s"

  description = <<-EOT
    The api has a leak, and on a busy day one replica reaches its limit. Is its end as quiet as the crash of a replica, or
    is something different when the kernel does it?
  EOT

  hypothesis "checkout_keeps_working" {
    description = "Fewer than 1 in 100 checkouts fail."
    query       = local.errors
    expect      = value < 0.01
  }

  hypothesis "the_replica_is_back" {
    description = "Within 5 seconds both replicas answer again."
    query       = "sum(up{job=\"api\"})"
    expect      = value == 2
    phases      = ["baseline", "recovery"]
    within      = "5s"
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
  }

  # Without a duration the way back is left to the restart policy. The old limit is put back right after the kill.
  fault "oom" "replica_runs_out_of_memory" {
    target = target.one_api
  }
}
