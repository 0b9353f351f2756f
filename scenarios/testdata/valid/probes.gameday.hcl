variable "port" {
  type    = number
  default = 8080
}

# Nothing here has metrics: what gameday sees from outside is enough.
prometheus "own" {
  probe "http" "front" {
    target     = target.front
    port       = var.port
    path       = "/healthz?deep=1"
    status     = [200, 204]
    body_regex = "^ok|ready"
    timeout    = "500ms"
  }

  probe "http" "site" {
    url      = "https://shop.example.com/"
    method   = "HEAD"
    status   = 301
    interval = "30s"
  }

  probe "tcp" "redis" {
    target = target.front
    port   = 6379
    send   = "PING\r\n"
    expect = "+PONG"
  }

  probe "tcp" "database" {
    address = "[fd00::1]:5432"
  }
}

# Not even probes: the containers are watched all the same.
prometheus "containers" {}

target "front" {
  compose_service = "front"
}

scenario "front_is_killed" {
  source = prometheus.own

  hypothesis "front_answers" {
    query  = "probe_success{job=\"front\"}"
    expect = value == 1
  }

  fault "kill" "front_dies" {
    target = target.front
  }
}

scenario "front_freezes" {
  source = prometheus.containers

  hypothesis "front_runs" {
    query  = "container_state{state=\"running\"}"
    expect = value == 1
  }

  fault "pause" "front_freezes" {
    target   = target.front
    duration = "10s"
  }
}
