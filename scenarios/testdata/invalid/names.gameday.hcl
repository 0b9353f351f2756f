locals {
  limit = 3
}

variable "error_budget" {
  type    = number
  default = 0.01
}

prometheus "own" {
  scrape "api" {
    target = target.apii # ERROR: Unknown target
    port   = 8080
  }
}

target "api" {
  compose_service = "api"
}

scenario "names" {
  source = target.api # ERROR: Wrong kind of block

  hypothesis "a" {
    query  = local.querry # ERROR: Unknown local value
    expect = value < var.eror_budget # ERROR: Unknown variable
  }

  hypothesis "b" {
    query  = "up"
    expect = valu < error_budget # ERROR: Unknown name # ERROR: Unknown name
  }

  hypothesis "c" {
    query  = target.api # ERROR: Not a value
    expect = value < local # ERROR: Incomplete name
  }

  hypothesis "d" {
    query  = value # ERROR: Not known yet
    expect = value < minimum(3, 4) # ERROR: Call to unknown function
  }

  guardrail "g" {
    query      = "up"
    abort_when = value < baseline # ERROR: No baseline here
  }

  blast_radius {
    protect = [target.store, "api"] # ERROR: Unknown target # ERROR: Quoted name
  }

  fault "pause" "one" {
    target   = "target.api" # ERROR: Quoted name
    duration = "10s"
    after    = fault.too # ERROR: Unknown fault
  }

  fault "pause" "two" {
    target   = api # ERROR: Incomplete name
    duration = "10s"
    after    = one # ERROR: Incomplete name
  }

  fault "pause" "three" {
    target   = targt.api # ERROR: Unknown kind of block
    duration = "10s"
    after    = 1 + 2 # ERROR: Not a fault
  }

  fault "pause" "four" {
    target   = target.api.name # ERROR: Not a target
    duration = "10s"
    after    = prometheus.own # ERROR: Wrong kind of block
  }
}
