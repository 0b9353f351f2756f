variable "error_budget" {
  description = "The share of checkouts that may fail in normal times."
  type        = number
  default     = 0.01

  validation {
    condition     = var.error_budget > 0 && var.error_budget < 1
    error_message = "The error budget is a share, so it lies between 0 and 1."
  }
}

locals {
  errors = <<-PROMQL
    sum(rate(http_requests_total{job="shop",code=~"5.."}[15s]))
      / sum(rate(http_requests_total{job="shop"}[15s]))
  PROMQL
}

# Either a server that exists already …
prometheus "shop" {
  url     = env("PROMETHEUS_URL", "http://localhost:9090")
  headers = { Authorization = "Bearer ${env("PROMETHEUS_TOKEN", "")}" }
}

# … or, with no url, the built-in one: the real Prometheus engine, scraping from inside gameday.
prometheus "own" {
  interval = "1s"

  scrape "shop" {
    target = target.shop
    port   = 8080
    path   = "/metrics"
  }
  rules               = ["rules/*.yml"] # the team's own alerting rules, as they are
  evaluation_interval = "15s"
}

target "shop" {
  compose_project = "shop"
}

target "payments" {
  compose_project = "shop"
  compose_service = "payments"
  pick            = "one" # "one", "all" (default), 2, "50%"; the random choice is seeded and recorded
}

target "database" {
  compose_project = "shop"
  compose_service = "store"
}

scenario "slow_payments" {
  title    = "Checkout survives a slow, then frozen, payment provider"
  tags     = ["checkout", "network"]
  source   = prometheus.own # may be left out when there is only one
  baseline = "30s"          # watch the steady state before the first fault
  recovery = "60s"          # keep watching after the last undo

  description = <<-EOT
    In March a slow payment provider took checkout down for 40 minutes, because every worker waited for it. We added a
    timeout and a queue. This rehearsal shows whether they hold.
  EOT

  assumption "retries_are_capped" {
    description = "No client retries more than twice."
  }

  hypothesis "checkout_keeps_working" {
    description = "Hardly any checkout fails, whatever payments does."
    query       = local.errors
    expect      = value < var.error_budget
    tolerate    = "5s"
  }

  hypothesis "checkout_stays_quick" {
    description = "The slowest 1% of checkouts take at most half as long again as usual."
    query       = "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{job=\"shop\"}[15s])))"
    expect      = value < 1.5 * baseline
    phases      = ["fault"]
  }

  alert "PaymentsSlow" {
    description = "Someone would be told."
    within      = "45s"
  }

  alert "Shop is down" {
    fires = false
  }

  guardrail "checkout_is_down" {
    description = "Real customers are hurt: stop at once."
    query       = local.errors
    abort_when  = value > 0.5
    for         = "5s"
  }

  blast_radius {
    max_targets  = 1
    max_duration = "10m"
    protect      = [target.database]
  }

  fault "latency" "provider_slow" {
    target   = target.payments
    delay    = "300ms"
    jitter   = "50ms"
    duration = "60s"
  }

  fault "pause" "provider_hangs" {
    target   = target.payments
    after    = fault.provider_slow
    start    = "15s" # an offset; with `after`, from that fault's end
    duration = "30s"
  }
}
