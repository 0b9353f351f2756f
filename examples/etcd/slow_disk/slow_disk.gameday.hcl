# io limits how fast a container reads from the disks that hold its files, and writes to them. Where the engine keeps its containers'
# files on a file system that another process serves (fuse-overlayfs), or in memory, the kernel cannot limit that: the plan
# refuses it and says why. A volume on a disk would do.

variable "leader" {
  description = "The container of the member that leads now, such as etcd-member-1."
  type        = string # without a default, it has to be given: -var leader=etcd-member-1
}

variable "project" {
  description = "The compose project that the cluster runs as."
  type        = string
  default     = "etcd"
}

prometheus "own" {
  interval = "500ms"

  scrape "etcd" {
    target = target.members
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

scenario "slow_disk" {
  title    = "etcd takes writes while the disk of its leader is slow"
  tags     = ["etcd", "disk", "io"]
  baseline = "6s"
  recovery = "12s"

  description = <<-EOT
    etcd writes every change to its log and waits until it is on the disk, before anybody is told that it was taken. A disk that
    somebody else keeps busy is what its operators fear most: the leader is there, sends its heartbeats, and is slow.
  EOT

  hypothesis "writes_go_on" {
    description = "Clients never wait longer than 5 seconds for a write to succeed."
    query       = "time() - etcd_writer_last_success_timestamp_seconds{job=\"writer\"}"
    expect      = value < 5
  }

  hypothesis "everyone_knows_a_leader" {
    description = "No member is without a leader for 5 seconds."
    query       = "etcd_server_has_leader{job=\"etcd\"}"
    expect      = value == 1
    tolerate    = "5s"
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
  }

  # Each of the writer's ten puts a second makes the leader write a page or two of 4 KiB.
  fault "io" "disk_is_busy" {
    target   = target.leader
    write    = "64KiB/s"
    duration = "15s"
  }
}
