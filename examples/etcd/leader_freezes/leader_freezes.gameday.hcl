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

scenario "leader_freezes" {
  title    = "etcd replaces a leader that freezes"
  tags     = ["etcd", "failover"]
  baseline = "6s"
  recovery = "12s"

  description = <<-EOT
    A leader that freezes, on a stalled disk or a paused virtual machine, keeps its connections open: nobody is told that
    it is gone. The others have to find out by its silence. Everything that stores its state in etcd stands still until
    they do, and the old leader must step back when it wakes up in a world that has moved on.
  EOT

  assumption "clients_know_all_members" {
    description = "Clients try the next member when one does not answer."
  }

  # Who leads may have changed since the variable was given. A rehearsal on the wrong member would prove nothing, so it does
  # not begin.
  hypothesis "it_is_the_leader" {
    description = "The member that is about to be frozen leads the cluster."
    query       = "etcd_server_is_leader{job=\"leader\"}"
    expect      = value == 1
    phases      = ["baseline"]
  }

  hypothesis "one_leader" {
    description = "There is a new leader within 5 seconds, and never two for longer."
    query       = "sum(etcd_server_is_leader{job=\"etcd\"})"
    expect      = value == 1
    tolerate    = "5s"
  }

  hypothesis "everyone_knows_a_leader" {
    description = "No member that answers is without a leader for 5 seconds."
    query       = "min(etcd_server_has_leader{job=\"etcd\"})" # member by member, the frozen one would be missing
    expect      = value == 1
    tolerate    = "5s"
  }

  hypothesis "writes_go_on" {
    description = "Clients never wait longer than 5 seconds for a write to succeed."
    query       = "time() - etcd_writer_last_success_timestamp_seconds{job=\"writer\"}"
    expect      = value < 5
  }

  hypothesis "elections_are_few" {
    description = "The lead changes at most twice: away from the frozen member, and once more in a bad case."
    query       = "max(etcd_server_leader_changes_seen_total{job=\"etcd\"})"
    expect      = value <= baseline + 2
  }

  hypothesis "few_proposals_are_lost" {
    description = "Hardly any write that a member had accepted to propose is lost."
    query       = "sum(etcd_server_proposals_failed_total{job=\"etcd\"})"
    expect      = value <= baseline + 20
  }

  hypothesis "the_others_stay" {
    description = "Two of the three members answer all the time."
    query       = "sum(up{job=\"etcd\"})"
    expect      = value >= 2
  }

  guardrail "no_writes" {
    description = "The cluster has taken no write for 20 seconds: thaw the leader at once."
    query       = "time() - etcd_writer_last_success_timestamp_seconds{job=\"writer\"}"
    abort_when  = value > 20
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
  }

  fault "pause" "leader_freezes" {
    description = "The leader is frozen for longer than an election takes."
    target      = target.leader
    start       = "1s"
    duration    = "12s"
  }
}
