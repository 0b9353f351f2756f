variable "change" {
  type    = string
  default = "CHG-1042"
}

# What holds for the reports of all scenarios of these files.
report {
  audience  = "organisation"
  time_zone = "Europe/Berlin"
  sections  = ["five-lines", "expected", "timeline"]
}

field "change_reference" {
  label       = "Change"
  description = "The change that allows this rehearsal."
  value       = var.change
  required    = true
}

field "ordered_by" {
  value = "Platform board"
}

target "api" {
  compose_service = "api"
}

scenario "as_above" {
  fault "pause" "frozen" {
    target   = target.api
    duration = "10s"
  }
}

scenario "its_own" {
  report {
    audience = "public"
    sections = ["detection", "expected"]
    headings = {
      detection = "Would anybody have been told?"
    }

    template "detection" {
      file = "templates/detection.md"
    }
  }

  field "change_reference" {
    value = "none needed"
  }

  field "customers_affected" {
    type    = number
    value   = 0
    private = true
  }

  field "regions" {
    type  = list(string)
    value = ["eu-west", "eu-north"]
  }

  field "announced" {
    type  = bool
    value = true
  }

  field "business_impact" {
    label = "Business impact"
  }

  fault "pause" "frozen" {
    target   = target.api
    duration = "10s"
  }
}
