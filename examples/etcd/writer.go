package etcd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The writer's limits.
const (
	writeEvery = 100 * time.Millisecond
	tryTimeout = 500 * time.Millisecond // of a put on one member; then the next one is asked
	keys       = 1000                   // the writer goes round these, so that the cluster's data stays small
	checkAfter = 20                     // a put that succeeded is looked for after so many more: two seconds later
)

// lastSuccess is the metric by which one sees how long ago the cluster last took a write.
const lastSuccess = "etcd_writer_last_success_timestamp_seconds"

// writer puts keys into a cluster, one after the other, as a client does that knows all members.
type writer struct {
	client  *http.Client
	members []string
	at      int   // the member that is asked first: the last one that took a write
	n       int   // puts so far; key and value follow from it
	taken   []int // puts that succeeded and were not looked for yet

	puts     *prometheus.CounterVec // by outcome
	duration prometheus.Histogram
	tries    *prometheus.CounterVec // by outcome
	success  prometheus.Gauge
	looked   prometheus.Counter
	lost     prometheus.Counter
}

// Main runs the writer: it puts a key ten times a second into the cluster whose members' client URLs are its arguments, until SIGINT or
// SIGTERM, and serves /metrics. It returns 0, 1 when it fails, or 2 when it is called wrongly.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) == 0 {
		fmt.Fprintln(stderr, "etcd-writer: say the client URLs of the members, such as http://member-1:2379")
		return 2
	}
	if err := write(ctx, args, ":"+strconv.Itoa(WriterPort)); err != nil {
		fmt.Fprintf(stderr, "etcd-writer: %v\n", err)
		return 1
	}
	fmt.Fprintln(stdout, "etcd-writer: ended")
	return 0
}

func write(ctx context.Context, members []string, listen string) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", listen, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	registry := prometheus.NewRegistry()
	w := newWriter(members, registry)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(ln)
		cancel()
	}()
	w.run(ctx)
	srv.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func newWriter(members []string, registry *prometheus.Registry) *writer {
	w := &writer{
		members: members,
		client: &http.Client{Transport: &http.Transport{
			DialContext:     (&net.Dialer{Timeout: tryTimeout}).DialContext,
			IdleConnTimeout: 30 * time.Second,
		}},
		puts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "etcd_writer_puts_total",
			Help: "Puts by outcome, all members having been tried: ok or failed.",
		}, []string{"outcome"}),
		tries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "etcd_writer_tries_total",
			Help: "Puts on a single member, by outcome: ok, refused (an answer other than 200), silent (no answer in time).",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "etcd_writer_put_duration_seconds",
			Help:    "Time that a put took, on all members that were tried.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 4},
		}),
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: lastSuccess,
			Help: "When the cluster last took a put, in seconds since 1970.",
		}),
		looked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "etcd_writer_checked_total",
			Help: "Puts that had succeeded and were looked for two seconds later.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "etcd_writer_lost_total",
			Help: "Puts that had succeeded and were not there when they were looked for.",
		}),
	}
	for _, outcome := range []string{"ok", "failed"} {
		w.puts.WithLabelValues(outcome)
	}
	for _, outcome := range []string{"ok", "refused", "silent"} {
		w.tries.WithLabelValues(outcome)
	}
	registry.MustRegister(w.puts, w.tries, w.duration, w.success, w.looked, w.lost)
	return w
}

// run puts keys until ctx ends.
func (w *writer) run(ctx context.Context) {
	defer w.client.CloseIdleConnections()
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.put(ctx)
		}
	}
}

// put writes the next key on the first member that takes it. The same request asks for a key that was written before, so that
// both are answered by a majority of the cluster or not at all.
func (w *writer) put(ctx context.Context) {
	w.n++
	check := 0
	if len(w.taken) > checkAfter {
		check = w.taken[0]
	}
	body, err := transaction(w.n, check)
	if err != nil {
		return
	}
	start := time.Now()
	outcome := "failed"
	for range w.members {
		result, found := w.try(ctx, w.members[w.at], body)
		if ctx.Err() != nil {
			return
		}
		w.tries.WithLabelValues(result).Inc()
		if result == "ok" {
			outcome = "ok"
			w.success.SetToCurrentTime()
			w.taken = append(w.taken, w.n)
			if check > 0 {
				w.taken = w.taken[1:]
				w.looked.Inc()
				if found != value(check) {
					w.lost.Inc()
				}
			}
			break
		}
		w.at = (w.at + 1) % len(w.members)
	}
	w.puts.WithLabelValues(outcome).Inc()
	w.duration.Observe(time.Since(start).Seconds())
}

func key(n int) string   { return fmt.Sprintf("gameday/%d", n%keys) }
func value(n int) string { return fmt.Sprint(n) }

// A pair is a key and a value as etcd's JSON interface has them: in base64.
type pair struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value,omitempty"`
}

// operation is one part of a transaction, and one part of its answer.
type operation struct {
	Put   *pair `json:"request_put,omitempty"`
	Range *pair `json:"request_range,omitempty"`

	Found *struct {
		Pairs []pair `json:"kvs"`
	} `json:"response_range,omitempty"`
}

// transaction is a request that puts one key, and asks for that of an earlier put unless it is 0.
func transaction(put, check int) ([]byte, error) {
	all := []operation{{Put: &pair{Key: []byte(key(put)), Value: []byte(value(put))}}}
	if check > 0 {
		all = append(all, operation{Range: &pair{Key: []byte(key(check))}})
	}
	return json.Marshal(map[string][]operation{"success": all})
}

// try makes a transaction on one member. It returns how that ended, and the value that was asked for, or "" if there is none.
func (w *writer) try(ctx context.Context, member string, body []byte) (result, found string) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, member+"/v3/kv/txn", bytes.NewReader(body))
	if err != nil {
		return "silent", ""
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.client.Do(req)
	if err != nil {
		return "silent", ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "silent", ""
	}
	var answer struct {
		Responses []operation `json:"responses"`
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(text, &answer) != nil {
		return "refused", ""
	}
	for _, r := range answer.Responses {
		if r.Found != nil && len(r.Found.Pairs) == 1 {
			found = string(r.Found.Pairs[0].Value)
		}
	}
	return "ok", found
}
