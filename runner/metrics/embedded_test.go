package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"

	"gameday/runner/metrics"
	"gameday/runner/metrics/metricstest"
)

// stored counts the samples of a metric in a directory of Prometheus's storage.
func stored(t *testing.T, dir, metric string) int {
	t.Helper()
	options := tsdb.DefaultOptions()
	options.MinBlockDuration = (24 * time.Hour).Milliseconds()
	options.MaxBlockDuration = options.MinBlockDuration
	db, err := tsdb.Open(dir, nil, nil, options, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	querier, err := db.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer querier.Close()
	n := 0
	set := querier.Select(t.Context(), false, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", metric))
	for set.Next() {
		for it := set.At().Iterator(nil); it.Next() != 0; {
			n++
		}
	}
	if set.Err() != nil {
		t.Fatal(set.Err())
	}
	return n
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestCloseSavesOneBlock(t *testing.T) {
	dir := t.TempDir()
	source := openEmbedded(t, metricstest.NewExporter(t), dir)
	if err := source.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	metricstest.WaitForScrapes(t, source, 5)
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	found := names(t, dir)
	if len(found) != 1 || len(found[0]) != 26 {
		t.Fatalf("the directory has %q, want one block", found)
	}
	if n := stored(t, dir, "suite_temperature"); n < 10 {
		t.Errorf("%d samples of two series in the block after five scrapes", n)
	}
}

// A copy of the files of a run that goes on is what a killed process leaves behind.
func TestCrashKeepsSamples(t *testing.T) {
	dir, crashed := t.TempDir(), t.TempDir()
	source := openEmbedded(t, metricstest.NewExporter(t), dir)
	if err := source.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	metricstest.WaitForScrapes(t, source, 5)
	if slices.Contains(names(t, dir), "lock") {
		t.Error("there is a lock file")
	}
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if n := stored(t, crashed, "suite_temperature"); n < 8 {
		t.Errorf("%d samples of two series after five scrapes", n)
	}
}

func TestTemporaryDirectory(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	source := openEmbedded(t, metricstest.NewExporter(t), "")
	if len(names(t, temp)) != 0 {
		t.Error("the directory is there before Start")
	}
	if err := source.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	metricstest.WaitForScrapes(t, source, 2)
	if len(names(t, temp)) != 1 {
		t.Error(names(t, temp))
	}
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	if found := names(t, temp); len(found) != 0 {
		t.Errorf("left behind: %q", found)
	}
}

func TestEmbeddedStates(t *testing.T) {
	exporter := metricstest.NewExporter(t)
	source := openEmbedded(t, exporter, "")
	if _, err := source.Query(t.Context(), "up", time.Now()); err == nil {
		t.Error("a query before Start succeeded")
	}
	if targets := source.Targets(); len(targets) != 1 || targets[0].Up || targets[0].Labels["instance"] != metricstest.Instance {
		t.Error(targets)
	}
	if err := source.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := source.Start(t.Context()); err == nil {
		t.Error("a second Start succeeded")
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 50 {
				source.Query(t.Context(), "up", time.Now())
				source.Targets()
			}
		})
		wait.Go(func() {
			if err := source.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	source.SetEndpoints(metricstest.Job, nil)
	if err := source.Start(t.Context()); err == nil {
		t.Error("Start after Close succeeded")
	}

	unstarted := openEmbedded(t, exporter, filepath.Join(t.TempDir(), "never"))
	for range 2 {
		if err := unstarted.Close(); err != nil {
			t.Error(err)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := openEmbedded(t, exporter, "").Start(cancelled); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Close in the middle of a change of targets leaves no scrape loop behind, which TestMain would see.
func TestCloseAtOnce(t *testing.T) {
	exporter := metricstest.NewExporter(t)
	for range 30 {
		source := openEmbedded(t, exporter, "")
		if err := source.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		source.SetEndpoints(metricstest.Job, []metrics.Endpoint{{Address: exporter.Address}})
		if err := source.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStartWithoutAPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	source := openEmbedded(t, metricstest.NewExporter(t), filepath.Join(file, "samples"))
	if err := source.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be kept in") {
		t.Error(err)
	}
	if err := source.Close(); err != nil {
		t.Error(err)
	}
}

// A target that restarts has a new address and the same labels; the series goes on, and so does that of its neighbour.
func TestSetEndpoints(t *testing.T) {
	first, second, neighbour := metricstest.NewExporter(t), metricstest.NewExporter(t), metricstest.NewExporter(t)
	at := func(e *metricstest.Exporter, instance string) metrics.Endpoint {
		return metrics.Endpoint{Address: e.Address, Labels: map[string]string{"instance": instance}}
	}
	var mu sync.Mutex
	var lines []string
	source, err := metrics.NewEmbedded(metrics.EmbeddedConfig{
		Interval: metricstest.Interval,
		Scrapes:  []metrics.Scrape{{Job: "shop", Endpoints: []metrics.Endpoint{at(first, "api"), at(neighbour, "store")}}},
		Log:      func(line string) { mu.Lock(); defer mu.Unlock(); lines = append(lines, line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if err := source.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ups := func(want map[string]float64) func(metrics.Result) bool {
		return func(r metrics.Result) bool {
			got := map[string]float64{}
			for _, s := range r.Series {
				got[s.Labels["instance"]] = s.Value
			}
			return fmt.Sprint(got) == fmt.Sprint(want)
		}
	}
	metricstest.Await(t, source, "up", ups(map[string]float64{"api": 1, "store": 1}))
	first.Stop()
	metricstest.Await(t, source, "up", ups(map[string]float64{"api": 0, "store": 1}))
	for _, status := range source.Targets() {
		if status.Up != (status.Address == neighbour.Address) || (status.LastError == "") != status.Up || status.LastScrape.IsZero() || status.Job != "shop" {
			t.Errorf("%+v", status)
		}
	}

	moved := time.Now()
	source.SetEndpoints("shop", []metrics.Endpoint{at(second, "api"), at(neighbour, "store")})
	metricstest.Await(t, source, "up", ups(map[string]float64{"api": 1, "store": 1}))
	// Long enough for the end of the old target to be written down: it must not end the series, which the new one continues.
	metricstest.Await(t, source, fmt.Sprintf(`count_over_time(up{instance="api"}[%dms]) > 8`, 3000), func(r metrics.Result) bool {
		return len(r.Series) == 1 && time.Since(moved) > 5*metricstest.Interval
	})
	metricstest.Await(t, source, "up", ups(map[string]float64{"api": 1, "store": 1}))
	result, err := source.Query(t.Context(), `min_over_time(up{instance="store"}[1m])`, time.Now())
	if err != nil || len(result.Series) != 1 || result.Series[0].Value != 1 {
		t.Error("the neighbour missed scrapes:", result, err)
	}

	source.SetEndpoints("shop", []metrics.Endpoint{at(second, "api"), {Address: "not an address"}})
	metricstest.Await(t, source, "up", ups(map[string]float64{"api": 1}))
	source.SetEndpoints("elsewhere", nil)
	mu.Lock()
	defer mu.Unlock()
	if said := strings.Join(lines, "\n"); !strings.Contains(said, `"not an address"`) || !strings.Contains(said, `"elsewhere"`) {
		t.Error(said)
	}
}

func TestWarnings(t *testing.T) {
	source := openEmbedded(t, metricstest.NewExporter(t), "")
	if err := source.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	metricstest.WaitForScrapes(t, source, 1)
	result, err := source.Query(t.Context(), "quantile(1.5, up)", time.Now())
	if err != nil || len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], "quantile value") {
		t.Error(result, err)
	}
}

// Exporters that name no content type or the devices of containers, a path with a query, and the address as instance.
func TestPlainExporter(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/probe" {
			http.NotFound(w, r)
			return
		}
		w.Header()["Content-Type"] = nil
		fmt.Fprintf(w, "asked{module=%q} 1\n", r.URL.Query().Get("module"))
		fmt.Fprint(w, "traffic{device=\"eth0\"} 1\ntraffic{device=\"veth3f9c\"} 1\n")
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	source, err := metrics.NewEmbedded(metrics.EmbeddedConfig{
		Name: "own", Interval: metricstest.Interval,
		Scrapes: []metrics.Scrape{
			{Job: `odd "job": {name}`, Path: "/probe?module=a%20b", Endpoints: []metrics.Endpoint{{Address: address}}},
			{Job: "missing", Interval: 2 * metricstest.Interval, Endpoints: []metrics.Endpoint{{Address: address}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if err := source.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	metricstest.Await(t, source, "asked", func(r metrics.Result) bool {
		return len(r.Series) == 1 && r.Series[0].Labels["module"] == "a b" && r.Series[0].Labels["instance"] == address && r.Series[0].Labels["job"] == `odd "job": {name}`
	})
	metricstest.Await(t, source, "traffic", func(r metrics.Result) bool { return len(r.Series) == 1 && r.Series[0].Labels["device"] == "eth0" })
	metricstest.Await(t, source, `up{job="missing"}`, func(r metrics.Result) bool { return len(r.Series) == 1 && r.Series[0].Value == 0 })
	for _, status := range source.Targets() {
		if status.Job == "missing" && !strings.Contains(status.LastError, "404") {
			t.Errorf("%+v", status)
		}
	}
	if info := source.Info(); info.Name != "own" || info.Type != "embedded" || info.Interval != metricstest.Interval || info.URL != "" || info.Version == "" {
		t.Errorf("%+v", info)
	}
}

func TestEmbeddedConfigRefused(t *testing.T) {
	endpoints := func(e metrics.Endpoint) metrics.EmbeddedConfig {
		return metrics.EmbeddedConfig{Scrapes: []metrics.Scrape{{Job: "a", Endpoints: []metrics.Endpoint{e}}}}
	}
	tests := map[string]struct {
		config metrics.EmbeddedConfig
		err    string
	}{
		"no job name":   {metrics.EmbeddedConfig{Scrapes: []metrics.Scrape{{}}}, "no name"},
		"twice":         {metrics.EmbeddedConfig{Scrapes: []metrics.Scrape{{Job: "a"}, {Job: "a"}}}, "twice"},
		"path":          {metrics.EmbeddedConfig{Scrapes: []metrics.Scrape{{Job: "a", Path: "metrics"}}}, "write /metrics"},
		"scheme":        {metrics.EmbeddedConfig{Scrapes: []metrics.Scrape{{Job: "a", Scheme: "ftp"}}}, "neither http nor https"},
		"interval":      {metrics.EmbeddedConfig{Interval: time.Microsecond}, "whole milliseconds"},
		"negative":      {metrics.EmbeddedConfig{Interval: -time.Second}, "whole milliseconds"},
		"job interval":  {metrics.EmbeddedConfig{Scrapes: []metrics.Scrape{{Job: "a", Interval: 1500 * time.Microsecond}}}, `scrape job "a"`},
		"no address":    {endpoints(metrics.Endpoint{}), "host:port"},
		"url":           {endpoints(metrics.Endpoint{Address: "http://a:1/metrics"}), "host:port"},
		"label name":    {endpoints(metrics.Endpoint{Address: "a:1", Labels: map[string]string{"com.docker": "x"}}), `"com.docker"`},
		"no port is ok": {endpoints(metrics.Endpoint{Address: "a"}), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := metrics.NewEmbedded(test.config)
			if (err != nil) != (test.err != "") || (err != nil && !strings.Contains(err.Error(), test.err)) {
				t.Errorf("%v, want %q in it", err, test.err)
			}
		})
	}
}

func BenchmarkQuery(b *testing.B) {
	source := openEmbedded(b, metricstest.NewExporter(b), "")
	if err := source.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	for {
		result, err := source.Query(b.Context(), "count_over_time(up[1m])", time.Now())
		if err != nil {
			b.Fatal(err)
		}
		if len(result.Series) == 1 && result.Series[0].Value >= 10 {
			break
		}
		time.Sleep(metricstest.Interval)
	}
	for b.Loop() {
		if _, err := source.Query(b.Context(), `sum(rate(suite_requests_total{code=~"5.."}[2s])) / sum(rate(suite_requests_total[2s]))`, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

// What an exporter gives a time of its own is gone when its target is: not answered for five more minutes.
func TestOwnTimestampsEndWithTheirTarget(t *testing.T) {
	t.Parallel()
	var silent atomic.Bool
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if silent.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "plain 1\ndated 1 %d\n", time.Now().UnixMilli())
	}))
	defer web.Close()
	e, err := metrics.NewEmbedded(metrics.EmbeddedConfig{Name: "own", Interval: 50 * time.Millisecond,
		Scrapes: []metrics.Scrape{{Job: "page", Endpoints: []metrics.Endpoint{{Address: strings.TrimPrefix(web.URL, "http://")}}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	there := func(query string) int {
		res, err := e.Query(t.Context(), query, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return len(res.Series)
	}
	await := func(what string, is func() bool) {
		for limit := time.Now().Add(20 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("%s: plain %d, dated %d, up == 0 %d", what, there("plain"), there("dated"), there("up == 0"))
			}
		}
	}
	await("it is scraped", func() bool { return there("plain") == 1 && there("dated") == 1 })
	silent.Store(true)
	await("it does not answer any more", func() bool { return there("up == 0") == 1 && there("plain") == 0 && there("dated") == 0 })
	silent.Store(false)
	await("it answers again", func() bool { return there("plain") == 1 && there("dated") == 1 })
	e.SetEndpoints("page", nil) // the target has gone
	await("it is scraped no more", func() bool { return there("plain") == 0 && there("dated") == 0 })
}
