variable "unset" { # ERROR: Variable without a value
  type = string
}

variable "wrong" {
  type    = number
  default = "many" # ERROR: Wrong type for variable
}

variable "odd_type" {
  type    = nombre # ERROR: Invalid type specification
  default = 1
}

variable "invalid" {
  type    = number
  default = 7 # ERROR: Invalid value for variable # ERROR: Invalid value for variable

  validation {
    condition     = var.invalid < 5
    error_message = "Less than five, please."
  }

  validation {
    condition     = var.invalid % 2 == 0
    error_message = "An even number, please."
  }
}

variable "half" {
  default = 1

  validation { # ERROR: Missing argument
    condition = true
  }

  validation {
    condition     = var.half + 1 # ERROR: Not a condition
    error_message = "No."
  }
}

variable "computed" {
  default = var.half # ERROR: Variables not allowed
}

variable "from_env" {
  default = env("HOME", "x") # ERROR: env() not allowed here
}

variable "token" {
  sensitive = true
  default   = "hunter2"
}

variable "half" { # ERROR: Duplicate variable
  default = 2
}

variable "2nd" { # ERROR: Invalid name
  default = 2
}

variable "typo" {
  defalt = 1 # ERROR: Unsupported argument
  default = 1
}

locals {
  a = local.b # ERROR: Local values in a circle
  b = local.c
  c = local.a
  d = local.wrong # ERROR: Unknown local value
  e = local.d
}

locals {
  d = 1 # ERROR: Duplicate local value
}

target "api" {
  name  = env("NAME", "api") # ERROR: env() not allowed here
  image = var.token # ERROR: Sensitive value not allowed here
}

prometheus "own" {}

# Uses of what failed above are no further mistakes.
scenario "one_mistake_is_one_message" {
  title       = var.unset
  description = "${var.wrong} ${var.odd_type} ${local.a} ${local.e}"

  hypothesis "h" {
    query  = local.d
    expect = value < var.wrong
  }

  fault "pause" "p" {
    target   = target.api
    duration = var.computed
  }
}
