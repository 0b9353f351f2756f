package metrics_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/tsdb"

	"gameday/runner/metrics"
	"gameday/runner/metrics/metricstest"
)

const (
	rehearsalScrape     = 100 * time.Millisecond
	rehearsalEvaluation = 200 * time.Millisecond
	rehearsalLength     = 22 * time.Second
)

// outages are the faults that an exporter shows: from when to when each lasts, and the rule that is to notice it.
var outages = []struct {
	from, to time.Duration
	expr     string // %s: the labels of the fault
	hold     string
	close    bool // whether it is noticed hangs on the times of the scrapes too, so that only replays of the same samples can agree
}{
	{3000 * time.Millisecond, 6000 * time.Millisecond, "broken%s == 1", "0s", false},
	{3300 * time.Millisecond, 3900 * time.Millisecond, "broken%s == 1", "0s", true}, // a few evaluations: a busy server leaves some out
	{4000 * time.Millisecond, 5000 * time.Millisecond, "broken%s == 1", "1s", true}, // as long as its rule asks for: by phase
	{4100 * time.Millisecond, 7100 * time.Millisecond, "broken%s == 1", "1s", false},
	{5000 * time.Millisecond, 15000 * time.Millisecond, "broken%s == 1", "3s", false},
	{5500 * time.Millisecond, 8000 * time.Millisecond, "broken%s == 1", "10s", false}, // never
	{6000 * time.Millisecond, 9000 * time.Millisecond, "sum(broken%s) > 0.5", "600ms", false},
	{7000 * time.Millisecond, 10000 * time.Millisecond, "max_over_time(broken%s[1050ms]) == 1", "600ms", false},
	{8000 * time.Millisecond, 12000 * time.Millisecond, "avg_over_time(broken%s[1950ms]) > 0.55", "400ms", false},
	{9000 * time.Millisecond, 11000 * time.Millisecond, "fault:broken:max%s == 1", "400ms", false}, // over a recording rule
	{10000 * time.Millisecond, 60000 * time.Millisecond, "broken%s == 1", "2s", false},             // to the end
	{11000 * time.Millisecond, 14000 * time.Millisecond, "rate(work_total%s[1050ms]) < 3", "400ms", false},
}

func outageRules() []byte {
	text := "groups:\n- name: rehearsal\n  interval: 200ms\n  rules:\n  - record: fault:broken:max\n    expr: max by (fault) (broken)\n"
	for i, o := range outages {
		text += fmt.Sprintf("  - alert: Fault%d\n    expr: %s\n    for: %s\n", i, fmt.Sprintf(o.expr, fmt.Sprintf(`{fault="%d"}`, i)), o.hold)
	}
	return []byte(text)
}

// An outageExporter shows all outages, each in series of its own, counted from when it begins.
type outageExporter struct {
	began atomic.Pointer[time.Time] // nil: not yet
}

func (e *outageExporter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	now := time.Duration(0)
	if began := e.began.Load(); began != nil {
		now = time.Since(*began)
	}
	for i, o := range outages {
		broken := 0
		if now >= o.from && now < o.to {
			broken = 1
		}
		work := min(now, o.from) + max(0, now-o.to) // none is done in an outage
		fmt.Fprintf(w, "broken{fault=\"%d\"} %d\nwork_total{fault=\"%d\"} %g\n", i, broken, i, work.Seconds()*10)
	}
}

// The replay agrees with a real Prometheus server that ran beside it: over all outages, whatever the server recorded of its alerts
// lies within what the replay says over its phases. Once the replay goes by what gameday scraped itself, with scrapes at other times
// than the server's; once by the server's own samples, where nothing is left but the phase.
func TestReplayAgreesWithPrometheus(t *testing.T) {
	t.Parallel()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("this test needs a real Prometheus server: apt-get install prometheus")
	}
	exporter := &outageExporter{}
	web := httptest.NewServer(exporter)
	t.Cleanup(web.Close)
	address := strings.TrimPrefix(web.URL, "http://")
	dir := t.TempDir()
	put := func(name string, content any) string {
		text, isText := content.([]byte)
		if !isText {
			if text, err = json.Marshal(content); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := put("prometheus.yml", map[string]any{
		"global":         map[string]string{"scrape_interval": "100ms", "scrape_timeout": "100ms", "evaluation_interval": "200ms"},
		"rule_files":     []string{put("rules.yml", outageRules())},
		"scrape_configs": []any{map[string]any{"job_name": "outages", "static_configs": []any{map[string]any{"targets": []string{address}}}}},
	})
	listen := freeAddress(t)
	var output bytes.Buffer
	process := exec.Command(binary, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+listen, "--log.level=warn")
	process.Stdout, process.Stderr = &output, &output
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			process.Process.Signal(syscall.SIGTERM)
			process.Wait()
		}
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Log("prometheus said: ", output.String())
		}
	})
	embedded, err := metrics.NewEmbedded(metrics.EmbeddedConfig{Name: "own", Interval: rehearsalScrape, Rules: []metrics.RuleFile{{Name: "rules.yml", Text: outageRules()}},
		Scrapes: []metrics.Scrape{{Job: "outages", Endpoints: []metrics.Endpoint{{Address: address}}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { embedded.Close() })
	changes := make(chan metrics.AlertChange, 10000)
	embedded.OnAlert(func(c metrics.AlertChange) { changes <- c })
	if err := embedded.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	server, err := metrics.NewServer(metrics.ServerConfig{Name: "beside", URL: "http://" + listen})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })

	// Nothing breaks before both have scraped, and the server has evaluated its rules.
	metricstest.WaitForScrapes(t, embedded, 10)
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		res, err := server.Query(t.Context(), "fault:broken:max", time.Now())
		if err == nil && len(res.Series) == len(outages) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the server does not evaluate its rules: ", res, err)
		}
	}
	began := time.Now()
	exporter.began.Store(&began)
	time.Sleep(time.Until(began.Add(rehearsalLength)))
	from, to := began.Add(time.Second), began.Add(rehearsalLength)
	// The ranges of the rules, of 1050 and 1950 ms, must not begin right at a sample in any of the phases, 20 ms apart: before version 3 a
	// server counts such a sample in, and our engine does not.
	scraped, err := server.Query(t.Context(), `timestamp(broken{fault="0"})`, time.Now())
	if err != nil || len(scraped.Series) != 1 {
		t.Fatal(scraped, err)
	}
	behind := (from.UnixMilli() - int64(math.Round(scraped.Series[0].Value*1000))) % 20
	from = from.Add(time.Duration((5-behind+40)%20) * time.Millisecond).Truncate(time.Millisecond)
	known, err := server.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(known) != len(outages) {
		t.Fatalf("the server has %d alerting rules, want %d", len(known), len(outages))
	}
	recorded, err := server.Recorded(t.Context(), known, metrics.Span{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	own, err := embedded.Replay(t.Context(), metrics.Span{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	asked, err := server.Recorded(t.Context(), known, metrics.Span{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	server.Replay(t.Context(), asked, known, from, to)
	stop()
	options := tsdb.DefaultOptions()
	db, err := tsdb.Open(filepath.Join(dir, "data"), nil, nil, options, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	theirs, err := metrics.Replay(t.Context(), db, metrics.ReplayConfig{Rules: []metrics.RuleFile{{Name: "rules.yml", Text: outageRules()}}, Span: metrics.Span{From: from, To: to}})
	if err != nil {
		t.Fatal(err)
	}
	step := rehearsalEvaluation / time.Duration(own.Phases)
	// Between two phases of the sweep lies one step; a sample is up to one scrape old, on either side, and on a busy machine two.
	t.Run("over its own samples", func(t *testing.T) { compare(t, began, recorded, own, step+4*rehearsalScrape, false) })
	t.Run("over the server's samples", func(t *testing.T) { compare(t, began, recorded, theirs, step+time.Millisecond, true) })
	t.Run("asked of the server", func(t *testing.T) {
		for i, r := range asked.Rules {
			want, got := theirs.Rules[i], r.Phases[1:]
			if r.Rule.Alert != want.Rule.Alert || r.Unswept != "" || len(got) != len(want.Phases) {
				t.Fatalf("%s: %d phases, %q; want %s with %d", r.Rule.Alert, len(got), r.Unswept, want.Rule.Alert, len(want.Phases))
			}
			for j := range got {
				if a, b := fmt.Sprint(got[j].Spells), fmt.Sprint(want.Phases[j].Spells); a != b {
					t.Errorf("%s in phase %d: %s, want %s", r.Rule.Alert, j, a, b)
				}
			}
		}
	})
	t.Run("live", func(t *testing.T) {
		close(changes)
		fired := map[string]bool{}
		for c := range changes {
			if c.Error != "" {
				t.Error(c.Rule.Alert, c.Error)
			}
			fired[c.Rule.Alert] = fired[c.Rule.Alert] || c.To == metrics.AlertFiring
		}
		for i, r := range own.Rules {
			n := 0
			for _, p := range r.Phases {
				for _, s := range p.Spells {
					if !s.Firing.IsZero() {
						n++
						break
					}
				}
			}
			if outages[i].close {
				continue
			}
			if n == len(r.Phases) && !fired[r.Rule.Alert] || n == 0 && fired[r.Rule.Alert] {
				t.Errorf("%s fires in %d of %d phases of the replay; live: %v", r.Rule.Alert, n, len(r.Phases), fired[r.Rule.Alert])
			}
		}
	})
}

// compare holds the first spell of each alert against those of all phases of a replay.
func compare(t *testing.T, began time.Time, recorded, replayed *metrics.Replayed, slack time.Duration, sameSamples bool) {
	since := func(at time.Time) float64 { return float64(at.Sub(began).Milliseconds()) / 1000 }
	fired := 0
	for i, r := range replayed.Rules {
		if outages[i].close && !sameSamples {
			continue
		}
		var real *metrics.Spell
		for _, x := range recorded.Rules {
			if x.Rule.Alert == r.Rule.Alert && len(x.Phases[0].Spells) > 0 {
				real = &x.Phases[0].Spells[0]
			}
		}
		ranges := map[string][2]time.Time{}
		never := map[string]bool{}
		note := func(what string, at time.Time) {
			if at.IsZero() {
				never[what] = true
				return
			}
			b, ok := ranges[what]
			if !ok {
				b = [2]time.Time{at, at}
			}
			if at.Before(b[0]) {
				b[0] = at
			}
			if at.After(b[1]) {
				b[1] = at
			}
			ranges[what] = b
		}
		for _, p := range r.Phases {
			var s metrics.Spell
			if len(p.Spells) > 0 {
				s = p.Spells[0]
			}
			note("pending", s.Pending)
			note("firing", s.Firing)
			note("resolved", s.Resolved)
			if len(p.Failed) > 0 {
				t.Error(r.Rule.Alert, p.Failed[0])
			}
		}
		check := func(what string, at time.Time) {
			b, ok := ranges[what]
			text := "never"
			if ok {
				text = fmt.Sprintf("%.3f to %.3f s", since(b[0]), since(b[1]))
			}
			if at.IsZero() {
				if !never[what] {
					t.Errorf("%s is never %s on the server; the replay has it at %s in every phase", r.Rule.Alert, what, text)
				}
				return
			}
			t.Logf("%-8s %-8s server %.3f s, replay %s (never in a phase: %v)", r.Rule.Alert, what, since(at), text, never[what])
			if !ok || at.Before(b[0].Add(-slack)) || at.After(b[1].Add(slack)) {
				t.Errorf("%s is %s on the server at %.3f s; the replay has %s", r.Rule.Alert, what, since(at), text)
			}
		}
		if real == nil {
			check("pending", time.Time{})
			continue
		}
		if !real.Firing.IsZero() {
			fired++
		}
		check("pending", real.Pending)
		check("firing", real.Firing)
		check("resolved", real.Resolved)
	}
	if fired < 8 {
		t.Errorf("only %d alerts fired on the server: the comparison says too little", fired)
	}
}
