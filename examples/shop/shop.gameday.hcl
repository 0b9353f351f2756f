# What the shop is: where its numbers come from, and which containers are meant by which name. Every scenario in this
# directory uses it.

variable "project" {
  description = "The compose project that the shop runs as."
  type        = string
  default     = "shop"
}

locals {
  # The share of checkouts that the frontend could not serve, over the last 4 seconds. Without "or vector(0)" there would be
  # no number at all, instead of zero, for as long as no request has failed.
  errors = <<-PROMQL
    (sum(rate(http_requests_total{job="frontend",code=~"5.."}[4s])) or vector(0))
      / sum(rate(http_requests_total{job="frontend"}[4s]))
  PROMQL

  # The time within which 99 of 100 checkouts were answered, well or not, over the last 4 seconds.
  p99 = <<-PROMQL
    histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{job="frontend"}[4s])))
  PROMQL
}

# No Prometheus needed: with no url, gameday scrapes the containers itself. A range in a query should be at least four times
# this interval.
prometheus "own" {
  interval = "500ms"
  rules    = ["alerts.yml"] # evaluated while a run goes on, and replayed over what was scraped when it is judged

  scrape "frontend" {
    target = target.frontend
    port   = 8080
  }

  scrape "api" {
    target = target.api
    port   = 8080
  }

  scrape "store" {
    target = target.store
    port   = 8080
  }

  scrape "load" {
    target = target.load
    port   = 8080
  }
}

target "frontend" {
  compose_project = var.project
  compose_service = "frontend"
}

target "api" {
  compose_project = var.project
  compose_service = "api"
}

target "one_api" {
  compose_project = var.project
  compose_service = "api"
  pick            = "one" # chosen at random; the choice is recorded, and --seed repeats it
}

target "store" {
  compose_project = var.project
  compose_service = "store"
}

target "load" {
  compose_project = var.project
  compose_service = "load"
}
