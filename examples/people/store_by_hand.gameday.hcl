# The shop, rehearsed with people: two roles watch, one step has to be confirmed before anything is injected, and one is done by hand while the
# store is frozen. What they say meanwhile is noted with `gameday note`, and what they expect beforehand with `gameday predict`.

variable "project" {
  description = "The compose project that the shop runs as."
  type        = string
  default     = "shop"
}

prometheus "own" {
  interval = "500ms"

  scrape "frontend" {
    target = target.frontend
    port   = 8080
  }
}

target "frontend" {
  compose_project = var.project
  compose_service = "frontend"
}

target "store" {
  compose_project = var.project
  compose_service = "store"
}

scenario "store_by_hand" {
  title    = "Do people see a frozen store, and find the page that says what to do?"
  tags     = ["store", "people"]
  baseline = "10s"
  recovery = "30s"

  description = <<-EOT
    The runbook has a page for a store that hangs. We want to know whether those on call find it from what their screens show,
    and how long that takes.
  EOT

  hypothesis "checkouts_come_back" {
    description = "Checkouts work again soon after the store does."
    query       = "(sum(rate(http_requests_total{job=\"frontend\",code=~\"5..\"}[2s])) or vector(0)) / sum(rate(http_requests_total{job=\"frontend\"}[2s]))"
    expect      = value < 0.01
    phases      = ["recovery"]
  }

  observer "on-call" {
    description = "Has the pager, and the screens of every day."
    watches     = [hypothesis.checkouts_come_back, "the board of the shop"]
  }

  observer "support" {
    description = "Hears what customers say."
    watches     = ["the inbox"]
  }

  manual "everybody_is_there" {
    instructions = "Ask in the channel who is there, and say that the rehearsal begins."
    before       = "injection"
    timeout      = "5m"
  }

  manual "find_the_page" {
    instructions = "Find the page of the runbook for what you see. Do not do what it says; say its title."
    who          = observer.on-call
    start        = "5s"
    timeout      = "40s"
  }

  blast_radius {
    max_targets  = 1
    max_duration = "2m"
  }

  fault "pause" "store_freezes" {
    target   = target.store
    duration = "45s"
  }
}
