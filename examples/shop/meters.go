package shop

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// meters is what every role tells about the requests that it serves.
type meters struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec // by code
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

// durationBuckets are in seconds. They are close together where the shop's bounds lie: 0.1 to 1 s.
var durationBuckets = []float64{.001, .0025, .005, .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 1.5, 2, 5, 10}

// knownCodes exist as series from the start, at zero: so the first error is an increase and not the birth of a series, which
// rate() does not see.
var knownCodes = []int{http.StatusOK, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

func newMeters() *meters {
	m := &meters{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total",
			Help: "Requests answered, by status code.",
		}, []string{"code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_request_duration_seconds",
			Help:    "Time from a request's arrival to its answer.",
			Buckets: durationBuckets,
		}, nil),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "http_requests_in_flight",
			Help: "Requests that arrived and are not answered yet.",
		}),
	}
	for _, code := range knownCodes {
		m.requests.WithLabelValues(strconv.Itoa(code))
	}
	m.registry.MustRegister(m.requests, m.duration, m.inFlight,
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// watch counts and times what h does.
func (m *meters) watch(h http.HandlerFunc) http.Handler {
	return promhttp.InstrumentHandlerInFlight(m.inFlight,
		promhttp.InstrumentHandlerDuration(m.duration,
			promhttp.InstrumentHandlerCounter(m.requests, h)))
}

func (m *meters) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}
