variable "change" {
  type    = string
  default = null
}

variable "token" {
  type      = string
  default   = "t"
  sensitive = true
}

report {
  audience = "boss" # ERROR: Unknown word
}

report { # ERROR: Duplicate block
}

field "ticket" {
}

field "ticket" { # ERROR: Duplicate field
}

field "two words" { # ERROR: Invalid name
}

target "api" {
  compose_service = "api"
}

scenario "arranged" {
  report {
    audience  = "organization" # ERROR: Unknown word
    time_zone = "Berlin"       # ERROR: Unknown time zone
    sections  = ["five-lines", "timelin"] # ERROR: Unknown section
    headings  = { expected = "two\nlines" } # ERROR: Invalid heading
    colour    = "red" # ERROR: Unsupported argument

    template "expected" {
      file = "templates/none.md" # ERROR: Template cannot be read
    }

    template "timeline" {
      file = "templates" # ERROR: Template cannot be read
    }

    template "timeline" { # ERROR: Duplicate template
      file = "templates/good.md"
    }

    template "appendix" { # ERROR: Section is fixed
      file = "templates/good.md"
    }

    template "detection" { # ERROR: Missing argument
    }
  }

  fault "pause" "frozen" {
    target   = target.api
    duration = "10s"
  }
}

scenario "more" {
  report {
    time_zone = "Local" # ERROR: Unknown time zone
    sections  = ["expected", "expected"] # ERROR: Duplicate section
    headings  = { attention = "Fine" } # ERROR: Section is fixed
  }

  fault "pause" "frozen" {
    target   = target.api
    duration = "10s"
  }
}

scenario "fields" {
  report {
    sections = [] # ERROR: Empty list
    headings = { expektation = "Expectations" } # ERROR: Unknown section
  }

  field "required" {
    value    = var.change # ERROR: Field without a value
    required = true
  }

  field "absent" { # ERROR: Field without a value
    required = true
  }

  field "secret" {
    value = var.token # ERROR: Sensitive value not allowed here
  }

  field "environment" {
    value = env("USER", "nobody") # ERROR: env() not allowed here
  }

  field "number" {
    type  = number
    value = "many" # ERROR: Wrong type
  }

  field "map" {
    type  = map(string) # ERROR: Unknown type
    value = {}
  }

  field "nulls" {
    type  = list(string)
    value = ["a", null] # ERROR: Null value
  }

  field "long" {
    value = join(",", [for i in range(900) : "a word"]) # ERROR: Value too long
  }

  field "typo" {
    valeu = "x" # ERROR: Unsupported argument
  }

  fault "pause" "frozen" {
    target   = target.api
    duration = "10s"
  }
}
