# One file that says everything: what the cluster is, what is done to it, and what should stay true.

variable "leader" {
  description = "The container of the member that leads now, such as etcd-member-1."
  type        = string # without a default, it has to be given: -var leader=etcd-member-1
}

variable "project" {
  description = "The compose project that the cluster runs as."
  type        = string
  default     = "etcd"
}

# etcd serves its own metrics on the port where it serves clients. The leader is scraped a second time under a job of its own,
# so that a query can ask about it alone.
prometheus "own" {
  interval = "500ms"

  scrape "etcd" {
    target = target.members
    port   = 2379
  }

  scrape "leader" {
    target = target.leader
    port   = 2379
  }

  scrape "writer" {
    target = target.writer
    port   = 8080
  }
}

target "members" {
  compose_project = var.project
  compose_service = "member"
}

target "leader" {
  compose_project = var.project
  name            = var.leader
}

target "writer" {
  compose_project = var.project
  compose_service = "writer"
}

scenario "leader_crashes" {
  title    = "etcd survives the crash of its leader"
  tags     = ["etcd", "failover", "restart"]
  baseline = "6s"
  recovery = "15s"

  description = <<-EOT
    The leader's process dies, as from a bug or for lack of memory, and its restart policy brings it back. That takes less
    time than an election, but the process comes back knowing nothing of having led: the cluster needs a new leader, and the
    old one has to read its log and catch up. A "docker kill" would not show this, since no restart policy acts on it.
  EOT

  assumption "clients_know_all_members" {
    description = "Clients try the next member when one does not answer."
  }

  # Who leads may have changed since the variable was given. A rehearsal on the wrong member would prove nothing, so it does
  # not begin.
  hypothesis "it_is_the_leader" {
    description = "The member that is about to be crashed leads the cluster."
    query       = "etcd_server_is_leader{job=\"leader\"}"
    expect      = value == 1
    phases      = ["baseline"]
  }

  # The restart policy is quicker than the election, so the fault itself is over in a moment. What matters comes after it:
  # "within" says how soon in the recovery a claim has to be true for good.
  hypothesis "one_leader" {
    description = "There is one leader again within 5 seconds."
    query       = "sum(etcd_server_is_leader{job=\"etcd\"})"
    expect      = value == 1
    phases      = ["baseline", "recovery"]
    within      = "5s"
  }

  hypothesis "writes_succeed_again" {
    description = "Within 5 seconds clients write again, and the last write that succeeded is never 2 seconds old."
    query       = "time() - etcd_writer_last_success_timestamp_seconds{job=\"writer\"}"
    expect      = value < 2
    phases      = ["baseline", "recovery"]
    within      = "5s"
  }

  # A restarted member counts from zero again: "max" leaves it out of account as long as the others have seen more.
  hypothesis "elections_are_few" {
    description = "The lead changes at most twice."
    query       = "max(etcd_server_leader_changes_seen_total{job=\"etcd\"})"
    expect      = value <= baseline + 2
  }

  hypothesis "the_cluster_is_whole_again" {
    description = "Within 10 seconds all three members answer and know a leader: the restart policy works."
    query       = "sum(etcd_server_has_leader{job=\"etcd\"})"
    expect      = value == 3
    phases      = ["recovery"]
    within      = "10s"
  }

  guardrail "no_writes" {
    description = "The cluster has taken no write for 20 seconds: stop here."
    query       = "time() - etcd_writer_last_success_timestamp_seconds{job=\"writer\"}"
    abort_when  = value > 20
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
  }

  # No duration: the restart policy is what is tried here. If it did nothing, gameday starts the container at the end.
  fault "crash" "leader_crashes" {
    description = "The leader's process is killed behind the engine's back."
    target      = target.leader
    start       = "1s"
  }
}
