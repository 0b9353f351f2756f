// Package metrics is where numbers come from: a server with Prometheus's HTTP API, or Prometheus's own engine inside gameday,
// behind one interface. It does not know Docker: the addresses to scrape are handed in.
package metrics

import (
	"context"
	"time"
)

// A Source answers PromQL. All methods are safe for concurrent use.
type Source interface {
	// Info describes the source, without any credentials.
	Info() Info
	// Start makes it ready: the embedded engine begins to scrape, a server is asked whether it is there. Its error
	// says what is wrong and what to do.
	Start(ctx context.Context) error
	// Query evaluates an instant query at the given time. An empty result is no error.
	Query(ctx context.Context, query string, at time.Time) (Result, error)
	// Close ends it and, for the embedded engine, saves what was scraped. It may be called without Start, and twice.
	Close() error
}

// Info describes a source.
type Info struct {
	Name     string
	Type     string        // "server" or "embedded"
	URL      string        // of a server, without credentials
	Version  string        // of the server, or of the embedded engine
	Interval time.Duration // scrape interval of the embedded engine
}

// A Result is what an instant query returned.
type Result struct {
	Series   []Series
	Warnings []string
}

// A Series is one element of an instant vector. A scalar is one series without labels; a string or a range vector is an
// error of Query.
type Series struct {
	Labels map[string]string
	Value  float64 // may be NaN or infinite
}
