package metrics_test

import (
	"encoding/json"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sameQueries are answered alike by the engine and by a Prometheus server.
var sameQueries = []string{
	`up`, `up == 0`, `up == bool 0`, `sum(up)`, `count by (instance) (up)`, `absent(up)`, `absent(nothing_here{kind="x"})`, `nothing_here`,
	`temperature`, `temperature offset 10s`, `avg(temperature)`, `avg_over_time(temperature[20s])`, `stddev_over_time(temperature[1m])`,
	`quantile_over_time(0.9, temperature[30s])`, `max_over_time(temperature[10s]) - min_over_time(temperature[10s])`, `changes(up[2m])`,
	`deriv(temperature[20s])`, `predict_linear(temperature[20s], 60)`, `delta(temperature[10s])`, `last_over_time(temperature[30s])`,
	`present_over_time(temperature[30s])`, `absent_over_time(temperature[5s])`, `resets(http_requests_total[5m])`,
	`rate(http_requests_total[5s])`, `rate(http_requests_total[1m])`, `irate(http_requests_total[10s])`, `increase(http_requests_total[30s])`,
	`sum by (code) (rate(http_requests_total[15s]))`, `sum without (instance) (increase(http_requests_total[1m]))`,
	`(sum(rate(http_requests_total{code=~"5.."}[15s])) or vector(0)) / sum(rate(http_requests_total[15s]))`,
	`histogram_quantile(0.99, sum by (le) (rate(duration_seconds_bucket[15s])))`, `histogram_quantile(0.5, rate(duration_seconds_bucket[30s]))`,
	`odd`, `odd * 2`, `odd / odd`, `1 / odd{kind="zero"}`, `odd > 0`, `abs(odd)`, `clamp(odd, -1, 1)`, `sgn(odd)`, `sort_desc(odd{kind!="nan"})`, `topk(2, odd{kind!="nan"})`,
	`bottomk(1, temperature)`, `count_values("v", up)`, `label_replace(up, "host", "$1", "instance", "(.*):.*")`,
	`label_join(up, "all", "/", "job", "instance")`, `up * on (instance) group_right () http_requests_total`, `up and on (instance) temperature`,
	`up unless temperature`, `time()`, `vector(time())`, `scalar(sum(up))`, `1 + 2 * 3 ^ 2`, `-up`, `timestamp(up)`, `minute(vector(0))`,
	`up @ end()`, `max_over_time(rate(http_requests_total[5s])[30s:5s])`, `sum_over_time(up[1m:10s] offset 500ms)`, `group(up)`, `stdvar(temperature)`,
	`quantile(0.5, odd{kind!="nan"})`, `ln(odd{kind="huge"})`, `{__name__=~"up|odd"}`, `temperature{room=~".*ü"}`,
}

// knownDifferences are those between Prometheus 2 and 3, which the engine is. Each is asked at second 140, and returns one number.
var knownDifferences = []struct {
	why, query   string
	server, ours float64 // NaN: no series
}{
	{"a range has lost its left end: a sample that is exactly as old as the range is long does not count any more",
		`count_over_time(up{instance="a:8080"}[5s] offset 863ms)`, 6, 5},
	{"the same for the steps of a subquery", `count_over_time(up{instance="a:8080"}[5s:1s])`, 6, 5},
	{"the same for the five minutes in which an older sample counts", `up{instance="a:8080"} @ ` + strconv.FormatFloat(float64(second(299.137).Add(5*time.Minute).UnixMilli())/1000, 'f', 3, 64), 1, math.NaN()},
}

// A Prometheus server and the engine answer the same queries on the same samples, at one time and over a range, through the same
// API: the server has a copy of the block that a run left.
func TestServerAndEngineAgree(t *testing.T) {
	dir := record(t, false)
	ours, theirs := serveRecorded(t, dir), serveBlock(t, dir)
	times := []float64{0, 0.5, 59, 68, 100, 119, 121, 140, 149.5, 152, 199, 201, 250, 298.9, 299.5}
	for _, query := range sameQueries {
		for _, at := range times {
			form := url.Values{"query": {query}, "time": {seconds(at)}}
			agree(t, ours, theirs, "/api/v1/query", form)
		}
		agree(t, ours, theirs, "/api/v1/query_range", url.Values{"query": {query}, "start": {seconds(3)}, "end": {seconds(297)}, "step": {"7"}})
	}
	for path, form := range map[string]url.Values{
		"/api/v1/series":                {"match[]": {"up", `{code="500"}`}, "start": {seconds(0)}, "end": {seconds(299)}},
		"/api/v1/labels":                {"start": {seconds(0)}, "end": {seconds(299)}},
		"/api/v1/label/room/values":     {"start": {seconds(0)}, "end": {seconds(299)}},
		"/api/v1/label/__name__/values": {"match[]": {`{instance="a:8080"}`}, "start": {seconds(0)}, "end": {seconds(299)}},
	} {
		agree(t, ours, theirs, path, form)
	}
	for _, k := range knownDifferences {
		for who, want := range map[string]float64{ours: k.ours, theirs: k.server} {
			status, a := answerOf(t, who, "/api/v1/query", url.Values{"query": {k.query}, "time": {seconds(140)}})
			got := math.NaN()
			if result := a.Data.(map[string]any)["result"].([]any); len(result) == 1 {
				got = result[0].(map[string]any)["value"].([]any)[1].(float64)
			}
			if status != 200 || got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
				t.Errorf("%s: %s (ours: %t) is %v, want %v", k.why, k.query, who == ours, got, want)
			}
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("this test needs promtool, which comes with the Prometheus server: apt-get install prometheus")
	}
	for _, args := range [][]string{
		{"query", "instant", "--time=" + seconds(140), "URL", `sum by (code) (rate(http_requests_total[15s]))`},
		{"query", "instant", "--time=" + seconds(140), "URL", `odd`},
		{"query", "range", "--start=" + seconds(100), "--end=" + seconds(200), "--step=10s", "URL", `temperature`},
		{"query", "series", "--start=" + seconds(0), "--end=" + seconds(299), "--match=up", "URL"},
		{"query", "labels", "--start=" + seconds(0), "--end=" + seconds(299), "URL", "instance"},
	} {
		var out [2]string
		for i, base := range []string{ours, theirs} {
			line := strings.Split(strings.Replace(strings.Join(args, "\x00"), "URL", base, 1), "\x00")
			b, err := exec.CommandContext(t.Context(), promtool, line...).CombinedOutput()
			if err != nil || len(b) == 0 {
				t.Errorf("promtool %v: %v\n%s", line, err, b)
			}
			out[i] = string(b)
		}
		if d := cmp.Diff(out[1], out[0]); d != "" {
			t.Errorf("promtool %v (-server +ours):\n%s", args, d)
		}
	}
}

// An apiAnswer is what both return.
type apiAnswer struct {
	Status, ErrorType string
	Data              any
}

func answerOf(t *testing.T, base, path string, form url.Values) (status int, a apiAnswer) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", base+path+"?"+form.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	status, text := do(t, request)
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	a.Data = numbersIn(a.Data)
	return status, a
}

// numbersIn turns the values of samples, which are text in JSON, into numbers.
func numbersIn(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = numbersIn(x)
		}
	case []any:
		if len(v) == 2 {
			if _, isTime := v[0].(float64); isTime {
				if text, ok := v[1].(string); ok {
					if f, err := strconv.ParseFloat(text, 64); err == nil {
						v[1] = f
					}
				}
				return v
			}
		}
		for i, x := range v {
			v[i] = numbersIn(x)
		}
	}
	return v
}

// agree asks both. Sums are taken in another order, and with other care for the last digits, by different versions.
func agree(t *testing.T, ours, theirs, path string, form url.Values) {
	t.Helper()
	ourStatus, our := answerOf(t, ours, path, form)
	theirStatus, their := answerOf(t, theirs, path, form)
	bySeries := cmpopts.SortSlices(func(a, b any) bool { return metricOf(a) < metricOf(b) })
	if d := cmp.Diff(their, our, sameValues, cmpopts.EquateApprox(1e-9, 1e-12), bySeries); d != "" || ourStatus != theirStatus {
		t.Errorf("%s %v: %d and %d (-server +ours):\n%s", path, form, theirStatus, ourStatus, d)
	}
}

func metricOf(v any) string {
	b, _ := json.Marshal(v)
	if m, ok := v.(map[string]any); ok && m["metric"] != nil {
		b, _ = json.Marshal(m["metric"])
	}
	return string(b)
}

// serveBlock starts a real Prometheus server on a copy of a run's samples. It scrapes nothing.
func serveBlock(t *testing.T, samples string) (base string) {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("this test needs a real Prometheus server: apt-get install prometheus")
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "data"), os.DirFS(samples)); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {evaluation_interval: 1s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	var out strings.Builder
	cmd := exec.Command(binary, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		http.DefaultClient.CloseIdleConnections()
	})
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		response, err := http.Get("http://" + address + "/-/ready")
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return "http://" + address
		}
	}
	t.Fatalf("it does not get ready: %s", out.String())
	return ""
}
