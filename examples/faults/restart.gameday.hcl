# restart is what an operator does to make a fault go away: stop, with a grace time, and start again at once.

scenario "frontend_restarts" {
  title    = "People hardly notice a restart of the frontend"
  tags     = ["frontend", "restart"]
  baseline = "5s"
  recovery = "10s"

  description = <<-EOT
    There is only one frontend, so a restart is felt. The question is for how long: is it short enough to be done in the
    middle of the day?
  EOT

  # The frontend's own counters cannot tell: while it is away there are no numbers, and no number is never taken for a good
  # one. So this asks whether it can be scraped, which has an answer at all times.
  hypothesis "the_frontend_is_back_soon" {
    description = "The frontend is away for no longer than 5 seconds."
    query       = "up{job=\"frontend\"}"
    expect      = value == 1
    tolerate    = "5s"
  }

  hypothesis "the_others_stay_calm" {
    description = "No api replica has a line of waiting checkouts."
    query       = "queue_waiting_requests{job=\"api\"}"
    expect      = value < 20
  }

  blast_radius {
    max_targets  = 1
    max_duration = "1m"
  }

  # No duration: a restart is over when the container runs again.
  fault "restart" "frontend_restarts" {
    target = target.frontend
    grace  = "3s"
  }
}
