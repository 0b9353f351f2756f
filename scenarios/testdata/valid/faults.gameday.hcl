# Every kind of fault, with every argument that it has.
variable "offices" {
  type    = list(string)
  default = ["192.168.0.0/16", "2001:db8::/32"]
}

variable "percent" {
  default = 2.5
}

target "api" {
  compose_service = "api"
}

target "store" {
  compose_service = "store"
}

target "queue" {
  compose_service = "queue"
}

scenario "processes" {
  fault "pause" "pause" {
    target   = target.api
    duration = "1s"
  }

  fault "stop" "stop" {
    target   = target.api
    duration = "1s"
    grace    = "2s"
  }

  fault "kill" "kill" {
    target = target.api
    signal = "TERM"
  }

  fault "crash" "crash" {
    target = target.api
  }

  fault "restart" "restart" {
    target = target.api
    grace  = "0s"
  }

  fault "oom" "oom" {
    target   = target.api
    duration = "5s"
  }

  fault "signal" "signal" {
    target  = target.api
    process = "worker"
    signal  = "SIGUSR1"
  }

  fault "signal" "freeze" {
    target   = target.api
    process  = "worker"
    signal   = "19"
    duration = "5s"
  }

  fault "exec" "exec" {
    target   = target.api
    run      = ["mv", "/etc/app.conf", "/etc/app.conf.away"]
    undo     = "mv /etc/app.conf.away /etc/app.conf"
    user     = "root"
    timeout  = "5s"
    duration = "10s"
  }
}

scenario "network" {
  fault "latency" "latency" {
    target      = target.api
    duration    = "10s"
    delay       = "300ms"
    jitter      = "50ms"
    correlation = 25
    direction   = "both"
    peers       = [target.store, "10.0.0.0/8", "fd00::7"]
    protocol    = "tcp"
    ports       = [5432, "8000-8100", "8050-8200", "443"]
  }

  fault "loss" "loss" {
    target      = target.api
    duration    = "10s"
    percent     = var.percent
    correlation = 0
    peers       = var.offices
  }

  fault "corrupt" "corrupt" {
    target    = target.api
    duration  = "10s"
    percent   = 0.1
    direction = "ingress"
  }

  fault "duplicate" "duplicate" {
    target   = target.api
    duration = "10s"
    percent  = 100
    protocol = "udp"
  }

  fault "reorder" "reorder" {
    target      = target.api
    duration    = "10s"
    percent     = 25
    correlation = 50
    delay       = "20ms"
  }

  fault "rate" "rate" {
    target   = target.api
    duration = "10s"
    rate     = "1.5mbit"
  }

  fault "partition" "partition" {
    target   = target.api
    duration = "10s"
    peers    = [target.store, target.queue]
  }

  fault "reject" "reject" {
    target   = target.api
    duration = "10s"
    with     = "icmp"
    protocol = "icmp"
  }

  fault "disconnect" "disconnect" {
    target   = target.api
    duration = "10s"
    network  = "shop_default"
  }
}

scenario "resources" {
  fault "cpu" "cpu" {
    target   = target.api
    duration = "10s"
    limit    = 0.5
  }

  fault "memory" "memory" {
    target   = target.api
    duration = "10s"
    limit    = "64MiB"
  }

  fault "io" "io" {
    target   = target.api
    duration = "10s"
    read     = "1MiB/s"
    write    = "500kB/s"
  }

  fault "stress" "stress" {
    target   = target.api
    duration = "10s"
    cpu      = 2
    memory   = "1GiB"
  }

  fault "fill" "fill" {
    target   = target.api
    duration = "10s"
    path     = "/var/lib/data/"
    size     = "500MB"
  }

  fault "fill" "fill_share" {
    target   = target.api
    duration = "10s"
    path     = "/tmp"
    percent  = 95
  }
}
