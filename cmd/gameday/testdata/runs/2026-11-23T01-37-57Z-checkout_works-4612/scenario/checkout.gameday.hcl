prometheus "own" {
  interval = "500ms"

  scrape "frontend" {
    target = target.frontend
    port   = 8080
  }
}

target "frontend" {
  compose_project = "shop"
  compose_service = "frontend"
}

target "store" {
  compose_project = "shop"
  compose_service = "store"
}

scenario "frontend_answers" {
  title    = "The frontend answers while the store is frozen"
  baseline = "3s"
  recovery = "2s"

  hypothesis "it_answers" {
    query  = "up{job=\"frontend\"}"
    expect = value == 1
  }

  fault "pause" "freeze" {
    target   = target.store
    duration = "2s"
  }
}

scenario "checkout_works" {
  title    = "Checkouts work while the store is frozen"
  baseline = "4s"
  recovery = "4s"

  hypothesis "few_fail" {
    description = "Fewer than 1 in 100 checkouts fail."
    query       = "(sum(rate(http_requests_total{code=~\"5..\"}[2s])) or vector(0)) / sum(rate(http_requests_total[2s]))"
    expect      = value < 0.01
  }

  fault "pause" "freeze" {
    target   = target.store
    duration = "5s"
  }
}
