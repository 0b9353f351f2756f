// Package metricstest is the conformance suite of metrics.Source: what a query returns must not depend on who answers it.
package metricstest

import (
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Interval is the scrape interval of the suite: short, so that a range of ten scrapes passes soon.
const Interval = 200 * time.Millisecond

// Job is the name of the suite's scrape job, and Instance the label of its exporter.
const (
	Job      = "suite"
	Instance = "exporter-1"
)

// An Exporter is a target whose numbers are known functions of time. It can be stopped and started at the same address.
type Exporter struct {
	Address string // host:port

	handler  http.Handler
	registry *prometheus.Registry
	passing  prometheus.Gauge

	mu     sync.Mutex
	server *http.Server
}

// NewExporter starts one on a free port of the loopback interface, and stops it when the test ends.
func NewExporter(t testing.TB) *Exporter {
	t.Helper()
	began := time.Now()
	elapsed := func() float64 { return time.Since(began).Seconds() }
	registry := prometheus.NewRegistry()
	counter := func(code string, perSecond float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "suite_requests_total", Help: "Requests.", ConstLabels: prometheus.Labels{"code": code},
		}, func() float64 { return 1000 + perSecond*elapsed() })
	}
	gauge := func(name, room string, v float64) prometheus.Collector {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: "A constant.", ConstLabels: prometheus.Labels{"room": room}})
		g.Set(v)
		return g
	}
	passing := prometheus.NewGauge(prometheus.GaugeOpts{Name: "suite_passing", Help: "A series that disappears."})
	passing.Set(7)
	registry.MustRegister(
		counter("200", 90), counter("500", 10),
		gauge("suite_temperature", "a", 21), gauge("suite_temperature", "b", 19.5),
		gauge("suite_limit", "a", 42), gauge("suite_limit", "b", 39),
		gauge("suite_zero", "a", 0),
		durations{elapsed}, passing,
	)
	e := &Exporter{handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), registry: registry, passing: passing}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.Address = listener.Addr().String()
	e.serve(listener)
	t.Cleanup(e.Stop)
	return e
}

// durations is a histogram of 100 observations per second: half up to 0.1 s, nine tenths up to 0.5 s, all up to 1 s.
type durations struct{ elapsed func() float64 }

var durationDesc = prometheus.NewDesc("suite_duration_seconds", "Durations.", nil, nil)

func (durations) Describe(ch chan<- *prometheus.Desc) { ch <- durationDesc }

func (d durations) Collect(ch chan<- prometheus.Metric) {
	n := uint64(1000 + 100*d.elapsed())
	ch <- prometheus.MustNewConstHistogram(durationDesc, n, float64(n)*0.2, map[float64]uint64{0.1: n / 2, 0.5: n * 9 / 10, 1: n})
}

func (e *Exporter) serve(listener net.Listener) {
	server := &http.Server{Handler: e.handler, ReadHeaderTimeout: time.Minute}
	e.mu.Lock()
	e.server = server
	e.mu.Unlock()
	go server.Serve(listener)
}

// Stop breaks all connections off and stops listening, as a crash does.
func (e *Exporter) Stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server != nil {
		e.server.Close()
		e.server = nil
	}
}

// Restart listens at the same address again.
func (e *Exporter) Restart(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", e.Address)
	if err != nil {
		t.Fatal(err)
	}
	e.serve(listener)
}

// Vanish takes suite_passing out of what is exported.
func (e *Exporter) Vanish() {
	e.registry.Unregister(e.passing)
}
