# fill uses up the space of a directory with a file of real blocks, which is removed afterwards. Here that is a file system in memory
# which the container has for itself. In a directory of its root, or in a volume, the space is that of the host's disk.

scenario "scratch_space_is_full" {
  title    = "Checkout does not need the scratch space of an api replica"
  tags     = ["api", "disk", "fill"]
  baseline = "6s"
  recovery = "5s"

  description = <<-EOT
    Something has written its core dumps to /dev/shm until it was full. The api is said to keep nothing there, but a library
    that buffers in a file would be found out by this, and not by reading our own code.
  EOT

  hypothesis "checkout_keeps_working" {
    description = "Fewer than 1 in 100 checkouts fail."
    query       = local.errors
    expect      = value < 0.01
  }

  hypothesis "all_replicas_answer" {
    description = "Both replicas answer all the time."
    query       = "sum(up{job=\"api\"})"
    expect      = value == 2
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
  }

  fault "fill" "scratch_space_is_full" {
    target   = target.one_api
    path     = "/dev/shm"
    percent  = 99
    duration = "5s"
  }
}
