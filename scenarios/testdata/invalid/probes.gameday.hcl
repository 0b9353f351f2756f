target "api" {
  compose_service = "api"
}

prometheus "own" {
  interval = "500ms"

  scrape "api" {
    target = target.api
    port   = 80
  }

  probe "htp" "slip" { # ERROR: Unknown kind of probe
    target = target.api
  }

  probe "ping" "unknown" { # ERROR: Unknown kind of probe
    target = target.api
  }

  probe "http" { # ERROR: Missing job for probe
    url = "http://localhost"
  }

  probe "http" "" { # ERROR: Invalid name
    url = "http://localhost"
  }

  probe "http" "api" { # ERROR: Duplicate job
    url = "http://localhost"
  }

  probe "http" "nowhere" { # ERROR: Nothing to probe
  }

  probe "tcp" "nowhere_either" { # ERROR: Nothing to probe
    send = "PING"
  }

  probe "http" "both" {
    target = target.api
    url    = "http://localhost" # ERROR: Target and url
  }

  probe "tcp" "both_again" {
    target  = target.api
    address = "localhost:80" # ERROR: Target and address
  }

  probe "http" "no_port" { # ERROR: Missing argument
    target = target.api
    path   = "healthz" # ERROR: Invalid path
    method = "get" # ERROR: Unknown word
  }

  probe "http" "target_slip" {
    target = target.ap # ERROR: Unknown target
    port   = 80
  }

  probe "http" "other_kind" {
    url     = "http://localhost"
    address = "localhost:80" # ERROR: Unsupported argument
    expect  = "ok" # ERROR: Unsupported argument
  }

  probe "http" "in_url" {
    url  = "http://localhost"
    port = 80 # ERROR: Already in the url
    path = "/" # ERROR: Already in the url
  }

  probe "http" "url" {
    url = "localhost" # ERROR: Invalid url
  }

  probe "http" "secret_url" {
    url = env("URL", "http://localhost") # ERROR: env() not allowed here
  }

  probe "http" "status" {
    url    = "http://localhost"
    status = 700 # ERROR: Number out of range
  }

  probe "http" "statuses" {
    url    = "http://localhost"
    status = [200, "ok"] # ERROR: Wrong type
  }

  probe "http" "no_status" {
    url    = "http://localhost"
    status = [] # ERROR: Empty list
  }

  probe "http" "regex" {
    url        = "http://localhost"
    body_regex = "(ok" # ERROR: Invalid regular expression
  }

  probe "http" "head" {
    url        = "http://localhost"
    method     = "HEAD"
    body_regex = "ok" # ERROR: No body to look at
  }

  probe "http" "timeout" {
    url     = "http://localhost"
    timeout = "1s" # ERROR: Timeout longer than the interval
  }

  probe "http" "timeout_again" {
    url      = "http://localhost"
    interval = "2s"
    timeout  = "3s" # ERROR: Timeout longer than the interval
  }

  probe "tcp" "address" {
    address = "localhost" # ERROR: Invalid address
  }

  probe "tcp" "address_port" {
    address = "localhost:http" # ERROR: Invalid address
    port    = 80 # ERROR: Already in the address
  }
}

scenario "s" {
  fault "kill" "f" {
    target = target.api
  }
}
