# exec runs a command in the container: what only the application itself can do wrong. gameday knows nothing of what it does, so
# the way back has to be written down as well; without "undo" a scenario is not valid. Both are run without a shell.

scenario "api_says_no" {
  title    = "Retries cover an api replica that says no"
  tags     = ["api", "retries", "exec"]
  baseline = "8s"
  recovery = "7s"

  description = <<-EOT
    Somebody switches one replica to maintenance and forgets to tell the frontend. Its process runs, its health check is
    green, and it answers every checkout at once: with a no. Nothing takes such a replica out, so retries have to do
    for as long as it lasts.
  EOT

  hypothesis "checkout_keeps_working" {
    description = "Fewer than 1 in 100 checkouts fail: each no is followed by a try on the other replica."
    query       = local.errors
    expect      = value < 0.01
  }

  hypothesis "checkout_stays_quick" {
    description = "9 of 10 checkouts are answered within 0.3 seconds: a second try takes little time when the first one is short."
    query       = local.p90
    expect      = value < 0.3
  }

  # That people notice nothing is half of the truth. The other half is a number that somebody should watch.
  hypothesis "it_can_be_seen" {
    description = "Within 5 seconds the retries after an error show that something is wrong."
    query       = "rate(http_client_retries_total{job=\"frontend\",reason=\"status\"}[4s])"
    expect      = value > 5
    phases      = ["fault"]
    within      = "5s"
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
  }

  # The undo may be run more than once, and has to succeed when there is nothing left to do.
  fault "exec" "maintenance" {
    target   = target.one_api
    run      = "/gameday role shop maintenance on"
    undo     = "/gameday role shop maintenance off"
    timeout  = "10s"
    duration = "7s"
  }
}
