# loss is what a bad line does. TCP sends again what was lost, so hardly anything fails; but it waits before it does, 200 ms and
# more. So a few people wait long, and an average hides them.

scenario "lossy_line" {
  title    = "A lossy line to the store slows down a few checkouts and breaks none"
  tags     = ["store", "network", "loss"]
  baseline = "8s"
  recovery = "7s"

  description = <<-EOT
    A bad cable or a switch that is too busy loses 1 packet in 20. Nothing is down and no alert fires, but people say that the shop
    is slow at times. Do they get what they came for all the same?
  EOT

  hypothesis "checkout_keeps_working" {
    description = "Fewer than 1 in 100 checkouts fail: what was lost is sent again, or tried on the other replica."
    query       = local.errors
    expect      = value < 0.01
  }

  hypothesis "most_notice_nothing" {
    description = "Half of the checkouts are answered within a tenth of a second."
    query       = local.median
    expect      = value < 0.1
  }

  hypothesis "few_wait_long" {
    description = "9 of 10 checkouts are answered within half a second."
    query       = local.p90
    expect      = value < 0.5
  }

  blast_radius {
    max_targets  = 2
    max_duration = "1m"
    protect      = [target.store]
  }

  fault "loss" "lossy_line" {
    target   = target.api
    peers    = [target.store]
    percent  = 5
    duration = "8s"
  }
}
