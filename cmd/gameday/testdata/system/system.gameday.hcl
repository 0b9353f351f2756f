variable "project" {
  description = "The compose project of this script's containers."
  type        = string
}

prometheus "own" {
  interval = "250ms"

  scrape "store" {
    target = target.store
    port   = 8080
  }

  scrape "web" {
    target = target.web
    port   = 8080
  }
}

target "store" {
  compose_project = var.project
  compose_service = "store"
}

target "web" {
  compose_project = var.project
  compose_service = "web"
}
