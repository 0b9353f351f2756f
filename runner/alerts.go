package runner

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
	"gameday/scenarios"
)

const (
	// alertsEvery is how often a server is asked for the states of its alerts, and an Alertmanager for what has reached it.
	alertsEvery = 2 * time.Second
	// replayLimit is how long the replay of the rules, or the questions to the server, may take after the run.
	replayLimit = time.Minute
)

// ruleFiles are a source's files of rules, under the names that the record has for them.
func ruleFiles(s *scenarios.Source) []metrics.RuleFile {
	var out []metrics.RuleFile
	for _, f := range s.Rules {
		out = append(out, metrics.RuleFile{Name: f.Name, Text: f.Text})
	}
	return out
}

// watchesAlerts says whether there is anything to watch about alerts.
func (p *Plan) watchesAlerts() bool {
	return len(p.Scenario.Alerts) > 0 || p.Scenario.Source != nil && len(p.Scenario.Source.Rules) > 0
}

// AlertRules are the rules of an alert, as far as they are known before the run.
func (p *Plan) AlertRules(alert string) []metrics.AlertRule {
	var out []metrics.AlertRule
	for _, r := range p.Alerts {
		if r.Alert == alert {
			out = append(out, r)
		}
	}
	return out
}

// planAlerts reads the rules of the embedded source, and says what of the claims about alerts cannot be seen or cannot come true.
func (p *Plan) planAlerts(refuse, warn report) {
	sc := p.Scenario
	if sc.Source == nil || sc.Source.URL != "" {
		return
	}
	block := fmt.Sprintf("prometheus %q", sc.Source.Name)
	rules, err := metrics.AlertRules(ruleFiles(sc.Source), sc.Source.EvaluationInterval)
	if err != nil {
		refuse(sc.Source.Range, block, "%v", err)
		return
	}
	p.Alerts = rules
	p.blindRules()
	var groups []string
	for _, r := range rules {
		if !r.Given && !slices.Contains(groups, r.Group) {
			groups = append(groups, r.Group)
		}
	}
	if len(groups) > 0 && sc.Source.EvaluationInterval == 0 {
		warn(sc.Source.Range, block, "no interval is given for the rules of %s, so they are evaluated every %s, which is Prometheus's default; set evaluation_interval to what your server has",
			list(groups), metrics.DefaultEvaluation)
	}
	_, fault, recovery := p.Length()
	for _, a := range sc.Alerts {
		block := fmt.Sprintf("alert %q", a.Name)
		if a.Within > fault+recovery {
			warn(a.Range, block, "within is %s, but the run ends %s after the first fault: it cannot be judged; make recovery longer", a.Within, fault+recovery)
		}
		for _, r := range p.AlertRules(a.Name) {
			where := fmt.Sprintf("%s:%d", r.File, r.Line)
			need := r.For + r.Interval
			switch {
			case fault > 0 && r.Interval > fault:
				warn(a.Range, block, "the rule at %s is evaluated every %s, and the faults last %s: it could miss them, and then nothing is decided", where, r.Interval, fault)
			case !a.Fires:
			case fault > 0 && need > fault:
				warn(a.Range, block, "the rule at %s has to be true for %s in evaluations %s apart, and the faults last %s: it could never fire; make the fault at least %s long",
					where, r.For, r.Interval, fault, need)
			case a.Within < need:
				warn(a.Range, block, "the rule at %s fires up to %s after its condition is true (for %s, evaluated every %s), and within is %s: it could never be in time in every phase",
					where, need, r.For, r.Interval, a.Within)
			}
		}
	}
}

// An alertWatch follows the alerts of a run while it goes on. A nil one does nothing.
type alertWatch struct {
	run     *Run
	by      journal.AlertSource
	rules   []metrics.AlertRule
	detail  string // why a server told no rules
	server  *metrics.Server
	manager *metrics.Alertmanager

	mu     sync.Mutex
	live   map[ruleKey]*liveAlert
	looks  map[ruleKey]*ruleLook  // of a server
	told   map[string][]toldAlert // by alert: each that was seen at the Alertmanager since the run began, in order
	failed string                 // why the Alertmanager does not answer
}

// A ruleKey tells rules apart whose alerts have one name.
type ruleKey struct{ alert, group, file, expr string }

func keyOf(r metrics.AlertRule) ruleKey { return ruleKey{r.Alert, r.Group, r.File, r.Expr} }

type liveAlert struct {
	state  journal.AlertState
	since  time.Time // when it came into this state
	active int
	detail string // why the rule could not be evaluated
}

// toldAlert says between which two answers an alert reached the Alertmanager.
type toldAlert struct{ after, at time.Time }

// watchAlerts prepares to follow alerts. It asks nobody yet.
func (r *Run) watchAlerts(src metrics.Source) *alertWatch {
	if !r.plan.watchesAlerts() {
		return nil
	}
	w := &alertWatch{run: r, by: journal.AlertReplay, rules: r.plan.Alerts, live: map[ruleKey]*liveAlert{}, looks: map[ruleKey]*ruleLook{}, told: map[string][]toldAlert{}}
	switch src := src.(type) {
	case *metrics.Embedded:
		src.OnAlert(w.changed)
	case *metrics.Server:
		w.by, w.server = journal.AlertServer, src
	}
	return w
}

// askRules asks a server which rules it has. That it has no answer makes verdicts inconclusive; it does not end the run.
func (w *alertWatch) askRules(ctx context.Context) {
	if w == nil || w.server == nil {
		return
	}
	rules, err := w.server.Rules(ctx)
	if err != nil {
		w.detail = err.Error()
	}
	for _, r := range rules {
		r.File = filepath.Base(r.File)
		w.rules = append(w.rules, r.AlertRule)
	}
	if am := w.run.plan.Scenario.Source.Alertmanager; am != nil {
		if w.manager, err = metrics.NewAlertmanager(serverConfig(am)); err != nil {
			w.failed = err.Error()
		}
	}
}

func (w *alertWatch) close() {
	if w != nil && w.manager != nil {
		w.manager.Close()
	}
}

// declareAlerts writes down which rules are watched and what is claimed of them.
func (r *Run) declareAlerts() error {
	w := r.alerts
	if w == nil {
		return nil
	}
	d := &journal.AlertsDeclared{By: w.by, Detail: w.detail, Expected: alertClaims(r.plan.Scenario.Alerts), Rules: alertRules(w.rules)}
	if w.manager != nil {
		d.Notifier = &journal.AlertManager{URL: w.manager.URL(), Every: journal.Duration(alertsEvery)}
	}
	return r.write(d)
}

// changed notes a change of the embedded engine's alerts.
func (w *alertWatch) changed(c metrics.AlertChange) {
	w.note(c.Rule, journal.AlertState(c.To), c.At, c.Labels, c.Active, c.Error)
}

// note writes a change down, if it is one.
func (w *alertWatch) note(r metrics.AlertRule, to journal.AlertState, at time.Time, labels map[string]string, active int, failed string) {
	if failed != "" {
		to = journal.AlertUnknown
	}
	w.mu.Lock()
	l := w.live[keyOf(r)]
	if l == nil {
		l = &liveAlert{state: journal.AlertInactive}
		w.live[keyOf(r)] = l
	}
	from := l.state
	if from != to {
		l.since = at
	}
	l.state, l.active, l.detail = to, active, failed
	w.mu.Unlock()
	if from == to {
		return
	}
	w.run.writeBy("prometheus", &journal.AlertChanged{Alert: r.Alert, Group: r.Group, Phase: w.run.currentPhase(), From: from, To: to, At: at.UTC(), Labels: labels,
		Active: active, Detail: failed})
}

// follow asks a server, and the Alertmanager where there is one, until ctx ends.
func (w *alertWatch) follow(ctx context.Context) {
	if w == nil || w.server == nil && w.manager == nil {
		return
	}
	tick := time.NewTicker(alertsEvery)
	defer tick.Stop()
	var last time.Time // answer of the Alertmanager
	seen := map[string]bool{}
	for {
		if w.server != nil && w.detail == "" {
			if rules, err := w.server.Rules(ctx); err == nil {
				now := time.Now()
				for i := range rules {
					rules[i].File = filepath.Base(rules[i].File)
				}
				w.mu.Lock()
				w.looked(rules, now)
				w.mu.Unlock()
				for _, r := range rules {
					w.note(r.AlertRule, journal.AlertState(r.State), now, r.Oldest, r.Active, r.Error)
				}
			}
		}
		if w.manager != nil {
			last = w.askManager(ctx, last, seen)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// askManager notes which alerts have reached the Alertmanager since the last answer, and returns the time of this one.
func (w *alertWatch) askManager(ctx context.Context, last time.Time, seen map[string]bool) time.Time {
	list, err := w.manager.Active(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.mu.Lock()
			w.failed = err.Error()
			w.mu.Unlock()
		}
		return last
	}
	now := time.Now()
	there := map[string]bool{}
	for _, n := range list {
		there[n.Key()] = true
		if seen[n.Key()] {
			continue
		}
		w.run.writeBy("alertmanager", &journal.AlertNotified{Alert: n.Alert(), Labels: n.Labels, Receivers: n.Receivers, Muted: n.Muted, StartsAt: n.StartsAt.UTC(),
			After: last.UTC(), At: now.UTC()})
		w.mu.Lock()
		if !last.IsZero() && n.Muted == "" && len(n.Receivers) > 0 {
			w.told[n.Alert()] = append(w.told[n.Alert()], toldAlert{last, now})
		}
		w.mu.Unlock()
	}
	clear(seen)
	for k := range there {
		seen[k] = true
	}
	w.mu.Lock()
	w.failed = ""
	w.mu.Unlock()
	return now
}

// AlertStatus is an alert as it is now, in the phase in which it is evaluated live.
type AlertStatus struct {
	Name     string
	Expected bool // the scenario has a block for it
	Fires    bool // that block wants it to fire
	Within   time.Duration
	State    journal.AlertState
	Since    time.Time // of the state; zero: since the start
	Active   int       // instances that are pending or firing
	Detail   string
}

func (w *alertWatch) status() []AlertStatus {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	by := map[string]*AlertStatus{}
	var names []string
	for k, l := range w.live {
		s := by[k.alert]
		if s == nil {
			s = &AlertStatus{Name: k.alert, State: journal.AlertInactive}
			by[k.alert] = s
			names = append(names, k.alert)
		}
		s.Active += l.active
		if further(l.state) >= further(s.State) {
			s.State, s.Since = l.state, l.since
		}
		if l.detail != "" {
			s.Detail = l.detail
		}
	}
	slices.Sort(names)
	var out []AlertStatus
	for _, a := range w.run.plan.Scenario.Alerts {
		s := AlertStatus{Name: a.Name, State: journal.AlertInactive}
		if known := by[a.Name]; known != nil {
			s = *known
		}
		s.Expected, s.Fires, s.Within = true, a.Fires, a.Within
		out = append(out, s)
	}
	for _, n := range names {
		if s := by[n]; s.State != journal.AlertInactive && !slices.ContainsFunc(out, func(o AlertStatus) bool { return o.Name == n }) {
			out = append(out, *s)
		}
	}
	return out
}

// further orders states: of several the furthest counts.
func further(s journal.AlertState) int {
	return map[journal.AlertState]int{journal.AlertUnknown: 1, journal.AlertPending: 2, journal.AlertFiring: 3}[s]
}

// judgeAlerts replays the rules, or asks the server what it recorded, writes down what the alerts did and what that means for the
// claims about them, and returns the worst of the verdicts.
func (r *Run) judgeAlerts(h History, notDone string) journal.Verdict {
	w := r.alerts
	claims := r.plan.Scenario.Alerts
	worst := journal.Held
	if w == nil && len(claims) == 0 {
		return worst
	}
	a := alertHistory{History: h}
	if w != nil {
		a.by = w.by
		if !h.FaultStart.IsZero() {
			w.look(&a)
		}
	}
	var all []*journal.AlertSeen
	for _, name := range a.names(claims) {
		i := slices.IndexFunc(claims, func(c *scenarios.Alert) bool { return c.Name == name })
		seen := a.see(name, i >= 0)
		if w != nil {
			seen.event.Told = w.toldDelay(name, a.effect())
		}
		if i >= 0 && !h.FaultStart.IsZero() || seen.restless() {
			r.write(seen.event)
			all = append(all, seen.event)
		}
		if i < 0 {
			continue
		}
		v := judgeAlert(claims[i], seen, a)
		if v.Reason == journal.AlertNotInjected {
			v.Detail = notDone
		}
		if rank[v.Verdict] > rank[worst] {
			worst = v.Verdict
		}
		r.write(v)
	}
	if w != nil && !h.FaultStart.IsZero() {
		sum := a.sum(claims, all)
		w.mu.Lock()
		sum.Unasked = w.failed
		w.mu.Unlock()
		r.write(sum)
	}
	return worst
}

// longestGap is how long nothing may be scraped until a rule may have missed something.
func longestGap(s *scenarios.Source) time.Duration { return max(5*s.Interval, 5*time.Second) }

// look fills in what the alerts did.
func (w *alertWatch) look(a *alertHistory) {
	ctx, cancel := context.WithTimeout(context.Background(), replayLimit)
	defer cancel()
	switch why, _ := w.run.stopped.why(); why {
	case journal.UndoInterrupted, journal.UndoGuard:
		a.failed = "the run was ended before its time" // by somebody who is not kept waiting
		return
	case "":
		var cancelStop context.CancelFunc
		ctx, cancelStop = w.run.untilStopped(ctx)
		defer cancelStop()
	}
	from, to := a.Start, a.End
	var err error
	switch src := w.run.source.(type) {
	case *metrics.Embedded:
		if a.replayed, err = src.Replay(ctx, from, to); err == nil {
			a.gaps, err = src.Gaps(ctx, from, to, longestGap(w.run.plan.Scenario.Source))
		}
	default:
		if w.detail != "" {
			a.failed = w.detail
			return
		}
		var rules []metrics.ServerRule
		if rules, err = w.server.Rules(ctx); err == nil {
			for i := range rules {
				rules[i].File = filepath.Base(rules[i].File)
			}
			a.replayed, err = w.server.Recorded(ctx, rules, from, to)
			w.doubt(a)
		}
	}
	if err != nil {
		a.failed = strings.TrimSpace(err.Error())
	}
}

// toldDelay is when after the effect an alert reached somebody; nil: it did not, or nobody was asked.
func (w *alertWatch) toldDelay(alert string, effect time.Time) *journal.AlertDelay {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.told[alert], func(t toldAlert) bool { return !t.at.Before(effect) })
	if i < 0 || effect.IsZero() {
		return nil
	}
	t := w.told[alert][i]
	return &journal.AlertDelay{AtLeast: journal.Duration(max(0, t.after.Sub(effect))), AtMost: journal.Duration(t.at.Sub(effect)), First: t.after.UTC(), Last: t.at.UTC()}
}
