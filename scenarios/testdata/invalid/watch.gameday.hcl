target "api" {
  compose_service = "api"
}

prometheus "own" {
  watch = "{job=\"api\"}" # ERROR: Only for a server
}

prometheus "empty" {
  url   = "http://localhost:9090"
  watch = " " # ERROR: Invalid selector
}

prometheus "number" {
  url   = "http://localhost:9090"
  watch = [1] # ERROR: Wrong type
}

scenario "s" {
  source = prometheus.empty

  fault "kill" "f" {
    target = target.api
  }
}
