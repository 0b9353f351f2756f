# latency is what distance does: each packet comes, but late. It tells how often a service goes back and forth for one piece of
# work, which nobody notices as long as both ends are in the same room.

variable "delay" {
  description = "How much later each packet of the api reaches the store."
  type        = string
  default     = "60ms"
}

scenario "store_is_far" {
  title    = "Checkout stays quick with a store that is far away"
  tags     = ["store", "network", "latency"]
  baseline = "8s"
  recovery = "7s"

  description = <<-EOT
    The store is to move to another region, 60 ms away. Before anything is moved, the distance can be had for a minute: does
    a checkout pay for it once, or again and again? And is every timeout on the way longer than the way itself?
  EOT

  hypothesis "the_way_is_made_once" {
    description = "Half of the checkouts take at most 120 ms longer than usual: the way there and back is not made twice."
    query       = local.median
    expect      = value < baseline + 0.12
  }

  hypothesis "checkout_stays_quick" {
    description = "9 of 10 checkouts are answered within a quarter of a second."
    query       = local.p90
    expect      = value < 0.25
  }

  # Slow is not broken, as long as nobody in between loses patience. Try it with -var delay=150ms: the api gives up connecting
  # after 100 ms, and can use no connections but those that it had before.
  hypothesis "checkout_keeps_working" {
    description = "Fewer than 1 in 100 checkouts fail."
    query       = local.errors
    expect      = value < 0.01
  }

  blast_radius {
    max_targets  = 2
    max_duration = "1m"
    protect      = [target.store]
  }

  # Without peers, the answers to users and to whoever reads the metrics would be late as well.
  fault "latency" "store_is_far" {
    target   = target.api
    peers    = [target.store]
    delay    = var.delay
    duration = "8s"
  }
}
