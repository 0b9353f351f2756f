package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"gameday/examples/workload/workloadtest"
	"gameday/runner/journal"
	"gameday/runner/metrics"
)

const (
	// What the scenarios scrape at, and how often rules are evaluated.
	besideScrape     = 500 * time.Millisecond
	besideEvaluation = time.Second
	// besideSettled is how long a run must have scraped until it has all that the longest range of a rule reads.
	besideSettled = 5500 * time.Millisecond
	// besideLate is the most that scrapes or evaluations may be late for a run to be compared.
	besideLate = 2 * time.Second
)

// besideRules are rules for short rehearsals, over what the shop's rules and the scenarios read. The first one tells when the server
// evaluated.
const besideRules = `groups:
- name: beside
  interval: 1s
  rules:
  - record: beside:evaluations
    expr: vector(1)
  - record: job:http_errors:ratio_rate4s
    expr: sum by (job) (rate(http_requests_total{code=~"5.."}[4s])) / sum by (job) (rate(http_requests_total[4s]))
  - alert: Down
    expr: max by (job, instance) (up{job=~"frontend|api|store|etcd|writer"}) == 0
    for: 2s
  - alert: CheckoutFails
    expr: job:http_errors:ratio_rate4s{job="frontend"} > 0.2
    for: 1s
  - alert: CheckoutSlow
    expr: sum(rate(http_request_duration_seconds_sum{job="frontend"}[4s])) / sum(rate(http_request_duration_seconds_count{job="frontend"}[4s])) > 0.06
    for: 2s
  - alert: ManyRetries
    expr: sum(rate(http_client_retries_total{job="frontend"}[4s])) > 3
  - alert: NotOneLeader
    expr: sum(etcd_server_is_leader{job="etcd"}) != 1
  - alert: LeaderChanged
    expr: max(changes(etcd_server_leader_changes_seen_total{job="etcd"}[5s])) > 0
  - alert: NoWrites
    expr: time() - max(etcd_writer_last_success_timestamp_seconds{job="writer"}) > 2
    for: 1s
`

// A beside is a real Prometheus server that scrapes the same containers as the runs of some rehearsals.
type beside struct {
	server *metrics.Server
	known  []metrics.ServerRule
	data   string
	stop   func()
	runs   []besideRun
}

// A besideRun is a rehearsal during which the server ran.
type besideRun struct {
	file     string
	samples  string // the directory of its own
	from, to time.Time
	recorded *metrics.Replayed
}

// startBeside starts the server. It reaches the containers by a proxy that knows the address that each of them has now, so that a
// container that comes back at another one is the same target, as it is for a run.
func startBeside(t *testing.T, stage *workloadtest.Stage, targets map[string][]string) *beside {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("this test needs a real Prometheus server: apt-get install prometheus")
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}, Transport: &http.Transport{DialContext: (&finder{stage: stage}).dial},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }})
	t.Cleanup(proxy.Close)
	dir := t.TempDir()
	put := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var scrapes []any
	for job, all := range targets {
		scrapes = append(scrapes, map[string]any{"job_name": job, "proxy_url": proxy.URL, "static_configs": []any{map[string]any{"targets": all}}})
	}
	config, err := json.Marshal(map[string]any{
		"global":         map[string]any{"scrape_interval": besideScrape.String(), "scrape_timeout": besideScrape.String(), "evaluation_interval": besideEvaluation.String()},
		"rule_files":     []string{put("rules.yml", []byte(besideRules))},
		"scrape_configs": scrapes,
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	l.Close()
	b := &beside{data: filepath.Join(dir, "data")}
	var output bytes.Buffer
	process := exec.Command(binary, "--config.file="+put("prometheus.yml", config), "--storage.tsdb.path="+b.data, "--web.listen-address="+listen, "--log.level=warn")
	process.Stdout, process.Stderr = &output, &output
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	b.stop = sync.OnceFunc(func() {
		process.Process.Signal(syscall.SIGTERM)
		process.Wait()
	})
	t.Cleanup(func() {
		b.stop()
		if t.Failed() {
			t.Log("prometheus said: ", output.String())
		}
	})
	if b.server, err = metrics.NewServer(metrics.ServerConfig{Name: "beside", URL: "http://" + listen}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.server.Close() })
	workloadtest.Await(t, "the server evaluates its rules", func() bool {
		res, err := b.server.Query(t.Context(), "beside:evaluations", time.Now())
		return err == nil && len(res.Series) > 0
	})
	if b.known, err = b.server.Rules(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// A finder knows where containers are.
type finder struct {
	stage *workloadtest.Stage

	mu    sync.Mutex
	known map[string]string // addresses by name
}

// dial connects to a container by its name: where it was, and where it is now if it does not answer there soon.
func (f *finder) dial(ctx context.Context, network, address string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	was := f.known[name]
	f.mu.Unlock()
	if was != "" {
		if c, err := (&net.Dialer{Timeout: besideScrape / 4}).DialContext(ctx, network, net.JoinHostPort(was, port)); err == nil {
			return c, nil
		}
	}
	c, err := f.stage.Engine.Container(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, n := range c.Networks {
		if n.IPv4 == "" {
			continue
		}
		f.mu.Lock()
		if f.known == nil {
			f.known = map[string]string{}
		}
		f.known[name] = n.IPv4
		f.mu.Unlock()
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(n.IPv4, port))
	}
	return nil, fmt.Errorf("%s is in no network", name)
}

// saw keeps what the server recorded of its alerts during a run.
func (b *beside) saw(t *testing.T, file, dir string, rec *journal.Record) {
	t.Helper()
	x := besideRun{file: file, samples: filepath.Join(b.data+"-own", rec.Started().Run), from: rec.Events[0].Time, to: rec.Events[len(rec.Events)-1].Time}
	err := os.CopyFS(x.samples, os.DirFS(filepath.Join(dir, journal.SamplesDir, journal.TSDBDir)))
	if err != nil {
		t.Fatal(err)
	}
	if x.recorded, err = b.server.Recorded(t.Context(), b.known, metrics.Span{From: x.from, To: x.to}); err != nil {
		t.Fatal(err)
	}
	b.runs = append(b.runs, x)
}

// A tallied is how much was compared.
type tallied struct {
	mu           sync.Mutex
	rehearsed    int // runs
	runs         int // over what the server scraped
	own          int // over what the run scraped
	fired, fires int // runs in which something fired on the server, and how often that was
}

func (x *tallied) String() string {
	return fmt.Sprintf("the replay was held against a server's record over %d faults, of them over what the run scraped itself over %d; in %d of them %d alerts fired",
		x.runs, x.own, x.fired, x.fires)
}

// finish stops the server and holds the replay of each run against what the server recorded. Over what the server scraped itself
// nothing is left but the phase of its evaluations, and how long a scrape may take: its sample has the time at which it began. Over
// what the run scraped each sample is taken up to one scrape earlier or later, and so is the first and the last one in a range.
func (b *beside) finish(t *testing.T, total *tallied) {
	t.Helper()
	b.stop()
	theirs, err := metrics.OpenRecorded(metrics.RecordedConfig{Dir: b.data, Interval: besideScrape})
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	total.mu.Lock()
	total.rehearsed += len(b.runs)
	total.mu.Unlock()
	for _, x := range b.runs {
		own, err := metrics.OpenRecorded(metrics.RecordedConfig{Dir: x.samples, Interval: besideScrape})
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer own.Close()
			if _, last := own.Window(); last.Before(x.to) {
				x.to = last
			}
			const phase = besideEvaluation / 10
			late := max(lateness(t, theirs, x, "beside:evaluations", besideEvaluation), lateness(t, theirs, x, "up", besideScrape))
			if late > besideLate {
				t.Logf("%s is not compared: the server was %s late", x.file, late)
				return
			}
			fires := x.agrees(t, theirs, "over what the server scraped", phase+besideScrape+late, false)
			total.mu.Lock()
			defer total.mu.Unlock()
			total.runs++
			total.fires += fires
			if fires > 0 {
				total.fired++
			}
			late = max(late, lateness(t, own, x, "up", besideScrape))
			if apart := x.seenApart(t, theirs, own); apart > 2*besideScrape || late > besideLate {
				t.Logf("%s is not compared over what the run scraped: the scrapes saw other things for %s, and were %s late", x.file, apart, late)
				return
			}
			if differ := x.sawOtherSteps(t, theirs, own); differ != "" {
				t.Logf("%s is not compared over what the run scraped: %s", x.file, differ)
				return
			}
			x.agrees(t, own, "over what the run scraped", phase+3*besideScrape+late, true)
			total.own++
		}()
	}
}

// agrees replays the rules over samples, and holds that against the server's record. It returns how often something fired on the
// server.
func (x besideRun) agrees(t *testing.T, samples storage.Queryable, over string, slack time.Duration, elsewhere bool) (fires int) {
	t.Helper()
	replayed, err := metrics.Replay(t.Context(), samples, metrics.ReplayConfig{Rules: []metrics.RuleFile{{Name: "rules.yml", Text: []byte(besideRules)}},
		Evaluation: besideEvaluation, Span: metrics.Span{From: x.from, To: x.to}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range replayed.Rules {
		real := map[string][]metrics.Spell{}
		for _, s := range x.recorded.Rules {
			if s.Rule.Alert == r.Rule.Alert {
				maps.Copy(real, byLabels(s.Phases[0].Spells))
			}
		}
		all := map[string]bool{}
		for k := range real {
			all[k] = true
		}
		var phases []map[string][]metrics.Spell
		for _, p := range r.Phases {
			if len(p.Failed) > 0 {
				t.Errorf("%s, %s: %s: %+v", x.file, over, r.Rule.Alert, p.Failed[0])
			}
			spells := byLabels(p.Spells)
			for k := range spells {
				all[k] = true
			}
			phases = append(phases, spells)
		}
		for k := range all {
			h := heldAgainst{server: real[k], from: x.from.Add(besideSettled), to: x.to.Add(-slack), slack: slack, elsewhere: elsewhere}
			told := "server " + spellText(h.server, x.from) + "; replay"
			for _, p := range phases {
				h.phases = append(h.phases, p[k])
				told += " " + spellText(p[k], x.from)
			}
			n, wrong := h.compare()
			if fires += n; wrong != "" {
				t.Errorf("%s, %s: %s %s %s", x.file, over, r.Rule.Alert, k, wrong)
			}
			t.Logf("%s, %s: %s %s: %s", x.file, over, r.Rule.Alert, k, told)
		}
	}
	return fires
}

// A heldAgainst is one alert on the server and in each phase of a replay, between two times.
type heldAgainst struct {
	server    []metrics.Spell
	phases    [][]metrics.Spell
	from, to  time.Time
	slack     time.Duration
	elsewhere bool // the replay is over other scrapes than the server's
}

// compare looks near each change of the alert on the server for the same change in a phase; and where all phases say the same for
// long enough, the server has to say so too. It returns how often the alert fired on the server, and what is wrong.
func (h heldAgainst) compare() (fires int, wrong string) {
	// What lasts hardly longer than it takes to be seen, or fires for hardly longer, hangs on the times of the scrapes.
	short := func(s metrics.Spell, shown time.Time) bool {
		return !s.Resolved.IsZero() && s.Resolved.Sub(shown) <= besideEvaluation+2*besideScrape
	}
	for _, s := range h.server {
		for what, at := range changesOf(s) {
			if at.Before(h.from) || at.After(h.to) {
				continue
			}
			shown := s.Pending
			if what == metrics.AlertFiring {
				fires++
				shown = s.Firing
			}
			if short(s, shown) && (h.elsewhere || what == metrics.AlertFiring) {
				continue
			}
			near := slices.ContainsFunc(h.phases, func(p []metrics.Spell) bool {
				return slices.ContainsFunc(p, func(y metrics.Spell) bool {
					other, ok := changesOf(y)[what]
					return ok && other.Sub(at).Abs() <= h.slack
				})
			})
			if !near {
				wrong = fmt.Sprintf("is %s on the server %s after the beginning, and within %s of it in no phase", what, at.Sub(h.from), h.slack)
			}
		}
	}
	server := h.server
	if h.elsewhere { // a scrape that failed there, and not here
		server = slices.DeleteFunc(slices.Clone(server), func(s metrics.Spell) bool { return short(s, s.Pending) })
	}
	for at := h.from.Add(h.slack); at.Before(h.to); at = at.Add(besideEvaluation / 5) {
		state, sure := h.agreed(at)
		if is := stateAt(server, at); sure && is != state {
			return fires, fmt.Sprintf("is %s on the server %s after the beginning, and %s in all phases for %s around it", is, at.Sub(h.from), state, h.slack)
		}
	}
	return fires, wrong
}

// agreed is the state in which all phases are for as long as slack before and after a time.
func (h heldAgainst) agreed(at time.Time) (state metrics.AlertState, sure bool) {
	state = stateAt(h.phases[0], at)
	for _, p := range h.phases {
		if stateAt(p, at) != state {
			return "", false
		}
		for _, s := range p {
			for _, change := range changesOf(s) {
				if change.Sub(at).Abs() <= h.slack {
					return "", false
				}
			}
		}
	}
	return state, true
}

func byLabels(spells []metrics.Spell) map[string][]metrics.Spell {
	out := map[string][]metrics.Spell{}
	for _, s := range spells {
		k := s.Labels["job"] + " " + s.Labels["instance"]
		out[k] = append(out[k], s)
	}
	return out
}

// changesOf are the times of a spell.
func changesOf(s metrics.Spell) map[metrics.AlertState]time.Time {
	out := map[metrics.AlertState]time.Time{}
	for what, at := range map[metrics.AlertState]time.Time{metrics.AlertPending: s.Pending, metrics.AlertFiring: s.Firing, metrics.AlertInactive: s.Resolved} {
		if !at.IsZero() {
			out[what] = at
		}
	}
	return out
}

func stateAt(spells []metrics.Spell, at time.Time) metrics.AlertState {
	for _, s := range spells {
		switch {
		case at.Before(s.Pending), !s.Resolved.IsZero() && !at.Before(s.Resolved):
		case s.Firing.IsZero() || at.Before(s.Firing):
			return metrics.AlertPending
		default:
			return metrics.AlertFiring
		}
	}
	return metrics.AlertInactive
}

func spellText(spells []metrics.Spell, from time.Time) string {
	var out []string
	since := func(at time.Time) string {
		if at.IsZero() {
			return "–"
		}
		return fmt.Sprintf("%.1f", at.Sub(from).Seconds())
	}
	for _, s := range spells {
		out = append(out, since(s.Pending)+"/"+since(s.Firing)+"/"+since(s.Resolved))
	}
	return "[" + strings.Join(out, " ") + "]"
}

// A look is one sample.
type look struct {
	at    time.Time
	value float64
}

// samplesOf are the samples of a metric during a run, by job and instance: of those targets that rules read.
func (x besideRun) samplesOf(t *testing.T, from storage.Queryable, metric string) map[string][]look {
	t.Helper()
	q, err := from.Querier(x.from.UnixMilli(), x.to.UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	out := map[string][]look{}
	set := q.Select(t.Context(), false, nil, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, metric),
		labels.MustNewMatcher(labels.MatchRegexp, "job", "|frontend|api|store|etcd|writer"))
	for set.Next() {
		s := set.At()
		k := s.Labels().Get("job") + " " + s.Labels().Get("instance")
		it := s.Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			if at, v := it.At(); v == v {
				out[k] = append(out[k], look{time.UnixMilli(at), v})
			}
		}
	}
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// lateness is how much longer than an interval it took at most from one sample to the next.
func lateness(t *testing.T, from storage.Queryable, x besideRun, metric string, interval time.Duration) time.Duration {
	t.Helper()
	all := x.samplesOf(t, from, metric)
	if len(all) == 0 {
		t.Fatalf("%s: there are no samples of %s", x.file, metric)
	}
	longest := interval
	for _, s := range all {
		for i := 1; i < len(s); i++ {
			longest = max(longest, s[i].at.Sub(s[i-1].at))
		}
	}
	return longest - interval
}

// seenApart is for how long at most, at a stretch, a target was up to one and down to the other.
func (x besideRun) seenApart(t *testing.T, a, b storage.Queryable) time.Duration {
	t.Helper()
	longest := time.Duration(0)
	other := x.samplesOf(t, b, "up")
	for k, s := range x.samplesOf(t, a, "up") {
		if len(other[k]) == 0 {
			t.Fatalf("%s: the run did not scrape %s", x.file, k)
		}
		i, since := 0, time.Time{}
		for _, l := range s {
			if l.at.Before(other[k][0].at) || l.at.After(other[k][len(other[k])-1].at) {
				continue
			}
			for i+1 < len(other[k]) && !other[k][i+1].at.After(l.at) {
				i++
			}
			switch {
			case other[k][i].value == l.value:
				since = time.Time{}
			case since.IsZero():
				since = l.at
			default:
				longest = max(longest, l.at.Sub(since))
			}
		}
	}
	return longest
}

// steps are the values of a metric during a run as they follow one another, by job and instance: what is the same twice is told once,
// and a stretch without samples is told, too.
func (x besideRun) steps(t *testing.T, from storage.Queryable, metric string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for k, s := range x.samplesOf(t, from, metric) {
		for i, l := range s {
			switch {
			case i > 0 && l.at.Sub(s[i-1].at) > besideScrape*5/2:
				out[k] += fmt.Sprint(" away ", l.value)
			case i == 0 || l.value != s[i-1].value:
				out[k] += fmt.Sprint(" ", l.value)
			}
		}
	}
	return out
}

// sawOtherSteps says of which series that seldom change the run saw other changes than the server: a process that is thawed may answer with what
// it knew before, to who happens to ask first.
func (x besideRun) sawOtherSteps(t *testing.T, a, b storage.Queryable) string {
	t.Helper()
	for _, metric := range []string{"etcd_server_is_leader", "etcd_server_leader_changes_seen_total"} {
		theirs, ours := x.steps(t, a, metric), x.steps(t, b, metric)
		if !maps.Equal(theirs, ours) {
			return fmt.Sprintf("of %s the server saw %v, and the run %v", metric, theirs, ours)
		}
	}
	return ""
}

// The comparison finds what does not agree.
func TestHeldAgainst(t *testing.T) {
	began := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	sec := func(n float64) time.Time {
		if n == 0 {
			return time.Time{}
		}
		return began.Add(time.Duration(n * float64(time.Second)))
	}
	spell := func(pending, firing, resolved float64) metrics.Spell {
		return metrics.Spell{Pending: sec(pending), Firing: sec(firing), Resolved: sec(resolved)}
	}
	tests := []struct {
		says      string
		server    []metrics.Spell
		phases    []float64 // when it is pending in each, 2 s before it fires and 10 s before it is resolved; 0: never
		elsewhere bool
		agrees    bool
	}{
		{"the same", []metrics.Spell{spell(10.3, 12.3, 20.3)}, []float64{10, 10.5, 9.8}, false, true},
		{"a little later than in any phase", []metrics.Spell{spell(11, 13, 21)}, []float64{10, 10.5, 9.8}, false, true},
		{"much later", []metrics.Spell{spell(11.5, 13.5, 20.3)}, []float64{10, 10.5, 9.8}, false, false},
		{"much sooner", []metrics.Spell{spell(8.9, 10.9, 20.3)}, []float64{10, 10.5, 9.8}, false, false},
		{"resolved much sooner", []metrics.Spell{spell(10.3, 12.3, 15)}, []float64{10, 10.5, 9.8}, false, false},
		{"it fires longer than asked for", []metrics.Spell{spell(10.3, 16, 20.3)}, []float64{10, 10.5, 9.8}, false, false},
		{"never, and in all phases", nil, []float64{10, 10.5, 9.8}, false, false},
		{"never, and in all phases but one", nil, []float64{10, 0, 9.8}, false, true},
		{"never in any phase", []metrics.Spell{spell(10.3, 12.3, 20.3)}, []float64{0, 0, 0}, false, false},
		{"never in any phase, and for hardly a moment", []metrics.Spell{spell(10.3, 0, 11.3)}, []float64{0, 0, 0}, false, false},
		{"nor are other scrapes asked for that", []metrics.Spell{spell(10.3, 0, 11.3)}, []float64{0, 9.8, 0}, true, true},
		{"a scrape that failed on the server alone", []metrics.Spell{spell(10.3, 0, 11.3)}, []float64{0, 0, 0}, true, true},
		{"several that failed on the server alone", []metrics.Spell{spell(10.3, 0, 14.3)}, []float64{0, 0, 0}, true, false},
		{"never at all", nil, []float64{0, 0, 0}, false, true},
		{"twice instead of once", []metrics.Spell{spell(10.3, 12.3, 20.3), spell(25, 27, 35)}, []float64{10, 10.5, 9.8}, false, false},
	}
	for _, tt := range tests {
		h := heldAgainst{server: tt.server, from: sec(1), to: sec(60), slack: 600 * time.Millisecond, elsewhere: tt.elsewhere}
		for _, at := range tt.phases {
			var p []metrics.Spell
			if at > 0 {
				p = append(p, spell(at, at+2, at+10))
			}
			h.phases = append(h.phases, p)
		}
		if _, wrong := h.compare(); (wrong == "") != tt.agrees {
			t.Errorf("%s: %q", tt.says, wrong)
		}
	}
}
