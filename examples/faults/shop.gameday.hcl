# The shop again, as in ../shop, with as little as the scenarios of this directory need.

variable "project" {
  description = "The compose project that the shop runs as."
  type        = string
  default     = "shop"
}

locals {
  # Checkouts that failed, as a share of all, over the last 4 seconds.
  errors = <<-PROMQL
    (sum(rate(http_requests_total{job="frontend",code=~"5.."}[4s])) or vector(0))
      / sum(rate(http_requests_total{job="frontend"}[4s]))
  PROMQL

  # The time within which half of the checkouts were answered, well or not, and that for 9 of 10.
  median = <<-PROMQL
    histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket{job="frontend"}[4s])))
  PROMQL

  p90 = <<-PROMQL
    histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket{job="frontend"}[4s])))
  PROMQL
}

prometheus "own" {
  interval = "500ms"

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
  pick            = "one"
}

target "store" {
  compose_project = var.project
  compose_service = "store"
}
