target "api" {
  compose_service = "api"
}

prometheus "server" {
  url      = "localhost:9090" # ERROR: Invalid url
  interval = "1s" # ERROR: Server does not scrape for gameday

  scrape "api" { # ERROR: Server does not scrape for gameday
    target = target.api
    port   = 80
  }

  probe "tcp" "api" { # ERROR: Server does not scrape for gameday
    address = "localhost:80"
  }

  basic_auth { # ERROR: Two ways to log in
    username = "me"
    pasword  = "x" # ERROR: Unsupported argument
  }
  bearer_token = "x"
  headers      = { "bad name" = "x", Authorization = "x" } # ERROR: Invalid header # ERROR: Two ways to log in

  tls { # ERROR: Half a certificate
    cert_file = "c.pem"
  }
}

prometheus "credentials" {
  url = "http://me:secret@localhost:9090" # ERROR: Invalid url
}

prometheus "embedded" {
  timeout      = "1s" # ERROR: Only for a server
  bearer_token = "x" # ERROR: Only for a server

  tls {} # ERROR: Only for a server

  scrape "both" {
    target = target.api
    url    = "http://localhost/metrics" # ERROR: Target and url
  }

  scrape "none" { # ERROR: Nothing to scrape
  }

  scrape "no_port" { # ERROR: Missing argument
    target = target.api
    path   = "metrics" # ERROR: Invalid path
    scheme = "ftp" # ERROR: Unknown word
  }

  scrape "with_port" {
    url  = "http://localhost/metrics"
    port = 80 # ERROR: Already in the url
  }

  scrape "port" {
    target = target.api
    port   = 70000 # ERROR: Number out of range
  }

  scrape "port" { # ERROR: Duplicate job
    url = "http://localhost/metrics"
  }
}

prometheus "embedded" { # ERROR: Duplicate prometheus
}

promethus "typo" { # ERROR: Unsupported block type
}

scenario "which" { # ERROR: Several sources of numbers
  hypothesis "h" {
    query  = "up"
    expect = value == 1
  }

  hypothesis "h" { # ERROR: Duplicate hypothesis
    query  = "up"
    expect = value == 1
  }

  assumption "a" { # ERROR: Missing argument
  }

  fault "kill" "f" {
    target = target.api
  }

  fault "crash" "f" { # ERROR: Duplicate fault
    target = target.api
  }
}

scenario "which" { # ERROR: Duplicate scenario
}
