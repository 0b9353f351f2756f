# partition is what a broken line or a wrong rule of a firewall does: packets vanish, and nobody is told. Whoever waits for an
# answer has to give up by himself. reject.gameday.hcl does the same with an answer, and asks the same.
#
# This one is refuted, and that is what there is to learn: what cannot be told from slowness is paid for in time.

scenario "store_is_cut_off" {
  title    = "People hear at once that the store cannot be reached"
  tags     = ["store", "network", "partition"]
  baseline = "8s"
  recovery = "12s"

  description = <<-EOT
    The line to the store is cut. The api gives up connecting after 100 ms, and the frontend tries three times. Each of the two is
    a reasonable choice; here one sees what they come to together, and what becomes of those that were waiting for an answer
    when the line was cut.
  EOT

  hypothesis "people_are_answered_quickly" {
    description = "Whether it is a yes or a no, 9 of 10 people have their answer within 0.3 seconds."
    query       = local.p90
    expect      = value < 0.3
  }

  hypothesis "nothing_piles_up" {
    description = "No more than 100 checkouts are in the hands of the api."
    query       = "sum(http_requests_in_flight{job=\"api\"})"
    expect      = value < 100
  }

  hypothesis "checkout_is_back_soon" {
    description = "10 seconds after the line is mended hardly any checkout fails."
    query       = local.errors
    expect      = value < 0.01
    phases      = ["baseline", "recovery"]
    within      = "10s"
  }

  blast_radius {
    max_targets  = 2
    max_duration = "1m"
    protect      = [target.store]
  }

  fault "partition" "store_is_cut_off" {
    target   = target.api
    peers    = [target.store]
    duration = "7s"
  }
}
