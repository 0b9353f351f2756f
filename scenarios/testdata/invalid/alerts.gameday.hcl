target "api" {
  compose_service = "api"
}

prometheus "good" {
  rules = ["rules/good.yml"]
}

prometheus "records" {
  rules = ["rules/record.yml"]
}

prometheus "none" {
}

prometheus "broken" {
  rules = ["rules/bad.yml"] # ERROR: Invalid rules
}

prometheus "promql" {
  rules = ["rules/promql.yml"] # ERROR: Invalid rules
}

prometheus "missing" {
  rules = ["rules/good.yml", "alert.yml"] # ERROR: Rule file cannot be read
}

prometheus "directory" {
  rules = ["rules"] # ERROR: Rule file cannot be read
}

prometheus "pattern" {
  rules = ["rules/*.yaml"] # ERROR: No rule files
}

prometheus "bracket" {
  rules = ["rules/[a.yml"] # ERROR: Invalid pattern
}

prometheus "empty" {
  rules               = [] # ERROR: Empty list
  evaluation_interval = "1ms" # ERROR: Invalid duration
}

prometheus "type" {
  rules = "rules/good.yml" # ERROR: Wrong type
}

prometheus "rhythm" {
  evaluation_interval = "15s" # ERROR: No rules to evaluate

  alertmanager { # ERROR: Only for a server
    url = "http://localhost:9093"
  }
}

prometheus "server" {
  url   = "http://localhost:9090"
  rules = ["rules/good.yml"] # ERROR: Server does not scrape for gameday

  alertmanager { # ERROR: Missing argument
    timeout = "5s"
  }
}

scenario "names" {
  source = prometheus.good

  alert "CheckoutFail" { # ERROR: Unknown alert
    within = "45s"
  }

  alert "CheckoutFails" {
    within = "45" # ERROR: Invalid duration
    fires  = "yes" # ERROR: Wrong type
  }

  alert "CheckoutFails" { # ERROR: Duplicate alert
    within = "45s"
  }

  alert "" { # ERROR: Invalid name
    within = "45s"
  }

  fault "kill" "f" {
    target = target.api
  }
}

scenario "within" {
  source = prometheus.good

  alert "CheckoutFails" { # ERROR: Missing argument
  }

  fault "kill" "f" {
    target = target.api
  }
}

scenario "no_rules" {
  source = prometheus.none

  alert "CheckoutFails" { # ERROR: No alerting rules
    within = "45s"
  }

  fault "kill" "f" {
    target = target.api
  }
}

scenario "no_alerts" {
  source = prometheus.records

  alert "CheckoutFails" { # ERROR: Unknown alert
    within = "45s"
  }

  fault "kill" "f" {
    target = target.api
  }
}

scenario "broken" {
  source = prometheus.broken

  alert "CheckoutFails" {
    fires = false
  }

  fault "kill" "f" {
    target = target.api
  }
}

scenario "server" {
  source = prometheus.server

  alert "AnyName" {
    within = "45s"
  }

  fault "kill" "f" {
    target = target.api
  }
}
