variable "rate" {
  default = "1mbps"
}

target "api" {
  compose_service = "api"
}

target "store" {
  compose_service = "store"
}

scenario "processes" {
  fault "signal" "nobody" { # ERROR: Missing argument
    target = target.api
    signal = "USR3" # ERROR: Invalid signal
  }

  fault "signal" "frozen" { # ERROR: Missing argument
    target  = target.api
    process = "/usr/bin/worker" # ERROR: Invalid process
    signal  = "SIGSTOP"
  }

  fault "exec" "half" { # ERROR: Missing argument # ERROR: Missing argument
    target  = target.api
    run     = []   # ERROR: Empty command
    user    = ""   # ERROR: Empty string
    timeout = "0s" # ERROR: Invalid duration
  }

  fault "exec" "types" {
    target   = target.api
    duration = "10s"
    run      = 5         # ERROR: Wrong type
    undo     = ["rm", 5] # ERROR: Wrong type
    timeout  = "2h"      # ERROR: Invalid duration
    process  = "worker"  # ERROR: Unsupported argument
  }

  fault "exec" "lines" {
    target   = target.api
    duration = "10s"
    run      = "touch /tmp/a && touch /tmp/b" # ERROR: Invalid command
    undo     = "rm '/tmp/a" # ERROR: Invalid command
  }

  fault "oom" "limits" {
    target = target.api
    limit  = "64MiB" # ERROR: Unsupported argument
  }
}

scenario "network" {
  fault "latency" "none" { # ERROR: Missing argument
    target    = target.api
    duration  = "10s"
    direction = "outgoing" # ERROR: Unknown word
    protocol  = "tpc" # ERROR: Unknown word
    port      = 443 # ERROR: Unsupported argument
  }

  fault "latency" "jitter" {
    target      = target.api
    duration    = "10s"
    delay       = "100ms"
    jitter      = "200ms" # ERROR: Jitter longer than the delay
    correlation = 101 # ERROR: Number out of range
  }

  fault "latency" "correlation" {
    target      = target.api
    duration    = "10s"
    delay       = "2m" # ERROR: Invalid duration
    correlation = 25 # ERROR: Correlation without jitter
  }

  fault "loss" "all" {
    target   = target.api
    duration = "10s"
    percent  = "5%" # ERROR: Wrong type
    ports    = 443 # ERROR: Wrong type
  }

  fault "corrupt" "nothing" {
    target   = target.api
    duration = "10s"
    percent  = 0 # ERROR: Number out of range
    protocol = "icmp"
    ports    = [7] # ERROR: Ports without a protocol that has them
  }

  fault "duplicate" "too_much" {
    target   = target.api
    duration = "10s"
    percent  = 120 # ERROR: Number out of range
    ports    = [] # ERROR: Empty list
  }

  fault "reorder" "at_once" {
    target   = target.api
    duration = "10s"
    percent  = 25
    delay    = "0s" # ERROR: Invalid duration
    ports    = ["8100-8000"] # ERROR: Invalid port
  }

  fault "rate" "bytes" {
    target   = target.api
    duration = "10s"
    rate     = var.rate # ERROR: Invalid rate
    ports    = [443, 70000] # ERROR: Invalid port
  }

  fault "rate" "number" {
    target   = target.api
    duration = "10s"
    rate     = 1000 # ERROR: Rate without a unit
    ports    = ["https"] # ERROR: Invalid port
  }

  fault "partition" "forever" { # ERROR: Missing argument
    target  = target.api
    percent = 5 # ERROR: Unsupported argument
  }

  fault "reject" "datagrams" {
    target   = target.api
    duration = "10s"
    protocol = "udp" # ERROR: Reset without TCP
  }

  fault "reject" "with" {
    target   = target.api
    duration = "10s"
    with     = "reset" # ERROR: Unknown word
  }
}

scenario "peers" {
  fault "partition" "typo" {
    target   = target.api
    duration = "10s"
    peers    = [target.stroe] # ERROR: Unknown target
  }

  fault "partition" "typo_in_kind" {
    target   = target.api
    duration = "10s"
    peers    = [targt.store] # ERROR: Unknown kind of block
  }

  fault "partition" "quoted" {
    target   = target.api
    duration = "10s"
    peers    = ["target.store", "store", store] # ERROR: Quoted name # ERROR: Quoted name # ERROR: Incomplete name
  }

  fault "partition" "itself" {
    target   = target.api
    duration = "10s"
    peers    = [target.store, target.api] # ERROR: Fault between a target and itself
  }

  fault "partition" "addresses" {
    target   = target.api
    duration = "10s"
    peers    = ["db.example.com", "10.0.0.7/8", "127.0.0.1", "fe80::1%eth0"] # ERROR: Invalid address # ERROR: Invalid address # ERROR: Invalid address # ERROR: Invalid address
  }

  fault "partition" "types" {
    target   = target.api
    duration = "10s"
    peers    = [5, null, fault.quoted] # ERROR: Wrong type # ERROR: Null value # ERROR: Wrong kind of block
  }

  fault "partition" "no_list" {
    target   = target.api
    duration = "10s"
    peers    = target.store # ERROR: Wrong type
  }

  fault "partition" "no_list_either" {
    target   = target.api
    duration = "10s"
    peers    = "10.0.0.0/8" # ERROR: Wrong type
  }

  fault "partition" "empty" {
    target   = target.api
    duration = "10s"
    peers    = [] # ERROR: Empty list
  }

  fault "partition" "twice" {
    target   = target.api
    duration = "10s"
    peers    = ["10.0.0.7", target.store, "10.0.0.7/32", target.store] # ERROR: Duplicate peer # ERROR: Duplicate peer
  }
}

scenario "resources" {
  fault "disconnect" "nowhere" { # ERROR: Missing argument
    target   = target.api
    duration = "10s"
  }

  fault "cpu" "none" {
    target   = target.api
    duration = "10s"
    limit    = 0 # ERROR: Number out of range
  }

  fault "cpu" "quoted" {
    target   = target.api
    duration = "10s"
    limit    = "0.5" # ERROR: Wrong type
  }

  fault "memory" "docker" {
    target   = target.api
    duration = "10s"
    limit    = "64m" # ERROR: Invalid size
  }

  fault "memory" "number" {
    target   = target.api
    duration = "10s"
    limit    = 67108864 # ERROR: Size without a unit
  }

  fault "memory" "little" {
    target   = target.api
    duration = "10s"
    limit    = "1MiB" # ERROR: Invalid size
  }

  fault "io" "neither" { # ERROR: Missing argument
    target   = target.api
    duration = "10s"
  }

  fault "io" "sizes" {
    target   = target.api
    duration = "10s"
    read     = "1MiB" # ERROR: Invalid throughput
    write    = "10B/s" # ERROR: Invalid throughput
  }

  fault "stress" "idle" { # ERROR: Missing argument
    target   = target.api
    duration = "10s"
  }

  fault "stress" "half_a_worker" {
    target   = target.api
    duration = "10s"
    cpu      = 0.5 # ERROR: Number out of range
    memory   = "much" # ERROR: Invalid size
  }

  fault "fill" "dry" { # ERROR: Missing argument
    target   = target.api
    duration = "10s"
    path     = "data" # ERROR: Invalid path
  }

  fault "fill" "both" {
    target   = target.api
    duration = "10s"
    path     = "/data"
    size     = "1GiB"
    percent  = 95 # ERROR: size and percent exclude each other
  }
}
