package metrics_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gameday/runner/metrics"
	"gameday/runner/metrics/metricstest"
)

// Both sources hand out the same series, with their samples in order.
func TestScan(t *testing.T) {
	exporter := metricstest.NewExporter(t)
	for _, x := range []struct {
		name     string
		source   metrics.Source
		selector string
	}{
		{"embedded", openEmbedded(t, exporter, ""), ""},
		{"embedded, selected", openEmbedded(t, exporter, ""), `{job="` + metricstest.Job + `"}`},
		{"server", openServer(t, exporter), `{job="` + metricstest.Job + `"}`},
	} {
		t.Run(x.name, func(t *testing.T) {
			began := time.Now()
			if err := x.source.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			metricstest.WaitForScrapes(t, x.source, 8)
			got := map[string]int{}
			counters := 0
			left, err := x.source.(metrics.Scanner).Scan(t.Context(), metrics.Scan{Selector: x.selector, From: began.Add(-time.Minute), To: time.Now(),
				Skip: func(metric string) bool { return metric == "suite_zero" }}, func(s metrics.RawSeries) {
				got[s.Metric]++
				if s.Kind == "counter" {
					counters++
				}
				if s.Labels["job"] != metricstest.Job || s.Labels["__name__"] != "" {
					t.Errorf("%s %v", s.Metric, s.Labels)
				}
				if len(s.Times) < 5 || len(s.Times) != len(s.Values) || !slices.IsSorted(s.Times) {
					t.Errorf("%s has %d times and %d values", s.Metric, len(s.Times), len(s.Values))
				}
				if s.Metric == "suite_temperature" && s.Values[0] != 21 && s.Values[0] != 19.5 {
					t.Errorf("%v", s.Values)
				}
			})
			if err != nil || left != "" {
				t.Fatal(left, err)
			}
			for metric, n := range map[string]int{"up": 1, "suite_requests_total": 2, "suite_temperature": 2, "suite_duration_seconds_bucket": 4, "suite_zero": 0} {
				if got[metric] != n {
					t.Errorf("%d series of %s, want %d; %v", got[metric], metric, n, got)
				}
			}
			// suite_requests_total, and what the histogram is made of.
			if counters != 8 {
				t.Errorf("%d series are known to be counters", counters)
			}
			if err := x.source.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := x.source.(metrics.Scanner).Scan(t.Context(), metrics.Scan{Selector: `{job="x"}`, From: began, To: time.Now()}, nil); err == nil {
				t.Error("a closed source was read")
			}
		})
	}
}

// A server is asked for some metrics at a time, for those only that are wanted, and for no more than it can be asked for.
func TestScanOfAServer(t *testing.T) {
	sizes := map[string]int{"small_a": 3, "small_b": 4, "big": 30_000, "huge": 30_000, "unwanted": 5}
	answer := func(query string) string {
		var out []string
		if strings.HasPrefix(query, "count by") {
			for _, name := range slices.Sorted(maps.Keys(sizes)) {
				out = append(out, fmt.Sprintf(`{"metric":{"__name__":%q},"value":[1,"%d"]}`, name, sizes[name]))
			}
			return `"resultType":"vector","result":[` + strings.Join(out, ",") + "]"
		}
		for name, n := range sizes {
			if strings.Contains(query, name) {
				for i := range n {
					out = append(out, fmt.Sprintf(`{"metric":{"__name__":%q,"n":"%d"},"values":[[1.5,"1"],[2.5,"NaN"],[3.5, "+Inf"]]}`, name, i))
				}
			}
		}
		return `"resultType":"matrix","result":[` + strings.Join(out, ",") + "]"
	}
	tests := []struct {
		says       string
		broken     string // answered to what asks for this metric
		want, left string
		wrong      string
		metadata   string
		kinds      string
	}{
		{says: "all that there is", kinds: "big counter small_a gauge small_b ",
			metadata: `{"status":"success","data":{"big":[{"type":"counter","help":"h","unit":""}],"small_a":[{"type":"gauge"},{"type":"gauge"}],"small_b":[{"type":"gauge"},{"type":"counter"}],"version":[{"type":"info"}]}}`,
			want:     "big 30000 small_a 3 small_b 4", left: "30000 series were not read, for 50000 are read at most"},
		{says: "it breaks off in the middle", broken: "small_a", kinds: "big ", want: "big 30000", left: "only 30000 series were read"},
		{says: "it breaks off at once", broken: "big", wrong: "result type"},
	}
	for _, tt := range tests {
		t.Run(tt.says, func(t *testing.T) {
			var asked []string
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/metadata") {
					io.WriteString(w, tt.metadata)
					return
				}
				query := r.FormValue("query")
				asked = append(asked, query)
				data := answer(query)
				if tt.broken != "" && strings.Contains(query, tt.broken) {
					data = `"resultType":"scalar","result":[1,"1"]`
				}
				io.WriteString(w, `{"status":"success","data":{`+data+`}}`)
			}))
			defer srv.Close()
			source, err := metrics.NewServer(metrics.ServerConfig{Name: "shop", URL: srv.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer source.Close()
			got, kinds := map[string]int{}, map[string]string{}
			left, err := source.Scan(t.Context(), metrics.Scan{Selector: `up{job=~"shop.*"}`, From: time.Unix(0, 0), To: time.Unix(5, 0),
				Skip: func(metric string) bool { return metric == "unwanted" }}, func(s metrics.RawSeries) {
				got[s.Metric]++
				kinds[s.Metric] = s.Kind
				if len(s.Times) != 2 || s.Times[0] != 1500 || s.Values[0] != 1 {
					t.Fatalf("%v %v", s.Times, s.Values)
				}
			})
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || !strings.HasPrefix(left, tt.left) {
				t.Errorf("left out: %q; %v", left, err)
			}
			var all []string
			for _, name := range slices.Sorted(maps.Keys(got)) {
				all = append(all, fmt.Sprint(name, " ", got[name]))
			}
			if diff := cmp.Diff(tt.want, strings.Join(all, " ")); diff != "" {
				t.Error(diff)
			}
			var types []string
			for _, name := range slices.Sorted(maps.Keys(kinds)) {
				types = append(types, name+" "+kinds[name])
			}
			if diff := cmp.Diff(tt.kinds, strings.Join(types, " ")); diff != "" {
				t.Error(diff)
			}
			for i, q := range asked {
				if !strings.Contains(q, `{job=~"shop.*",__name__="up"`) && !strings.Contains(q, `{__name__="up",job=~"shop.*"`) || strings.Contains(q, "unwanted") || !strings.Contains(q, "[5000ms]") {
					t.Errorf("question %d: %s", i, q)
				}
			}
			if len(asked) != 3 {
				t.Errorf("it was asked %d times: %q", len(asked), asked)
			}
		})
	}
}

func TestScanRefuses(t *testing.T) {
	source, err := metrics.NewServer(metrics.ServerConfig{Name: "shop", URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	for _, selector := range []string{"", "{}", "sum(up)", `{job=`, "up[5m]"} {
		if _, err := source.Scan(context.Background(), metrics.Scan{Selector: selector}, nil); err == nil || !strings.Contains(err.Error(), "selector") {
			t.Errorf("%q: %v", selector, err)
		}
		if selector != "" && metrics.CheckSelector(selector) == nil {
			t.Errorf("%q is taken for a selector", selector)
		}
	}
}

func TestNames(t *testing.T) {
	for query, names := range map[string]string{
		`sum(rate(http_requests_total{code="500"}[5s])) / sum(rate(http_requests_total[5s]))`: "http_requests_total",
		`histogram_quantile(0.9, sum by (le) (rate(duration_seconds_bucket[5s])))`:            "duration_seconds_bucket duration_seconds_count duration_seconds_sum",
		`up == 0 or down offset 5m`: "up down",
		`{__name__=~"node_.*"}`:     "node_load1 node_cpu_seconds_total",
		`{"quoted.name"}`:           "quoted.name",
		`vector(1)`:                 "",
		`not promql at all`:         "",
		`{__name__!="a",job="x"}`:   "",
	} {
		reads := metrics.Names(query)
		for _, name := range []string{"http_requests_total", "duration_seconds_bucket", "duration_seconds_count", "duration_seconds_sum", "duration_seconds",
			"up", "down", "node_load1", "node_cpu_seconds_total", "quoted.name", "a", "b"} {
			if want := slices.Contains(strings.Fields(names), name); reads(name) != want {
				t.Errorf("%s reads %s: %v", query, name, !want)
			}
		}
	}
}
