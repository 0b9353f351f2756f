target "all" { # ERROR: Target matches everything
  pick = "one"
}

target "regex" {
  name_regex = "api-(" # ERROR: Invalid regular expression
}

target "labels" {
  labels = {} # ERROR: Empty map
}

target "label_types" {
  labels = { tier = 1 } # ERROR: Wrong type
}

target "picks" {
  image = "redis"
  pick  = "some" # ERROR: Invalid pick
}

target "picks2" {
  image = "redis"
  pick  = 0 # ERROR: Invalid pick
}

target "picks3" {
  image = "redis"
  pick  = "101%" # ERROR: Invalid pick
}

target "picks4" {
  image = "redis"
  pick  = true # ERROR: Wrong type
}

target "picks" { # ERROR: Duplicate target
  image = "redis"
}

target "typo" {
  compose_servise = "x" # ERROR: Unsupported argument
  image           = "redis"
}

target { # ERROR: Missing name for target
}

scenario "uses_broken_ones" {
  tags = ["a", 2] # ERROR: Wrong type

  fault "kill" "f" {
    target = target.regex
  }

  fault "kill" "g" {
    target = target.all
  }
}

locals {
  difference = [for i in range(3) : i-1] # ERROR: Unknown name
}
