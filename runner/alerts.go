package runner

import (
	"context"
	"fmt"
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
	p.knowRules(rules, warn)
	p.Blind = append(p.Blind, p.blindRules(rules)...)
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
}

// askAlerts asks a server for its rules, and says of them what planAlerts does of the embedded source's.
func (p *Plan) askAlerts(ctx context.Context, server *metrics.Server) {
	if !p.watchesAlerts() {
		return
	}
	warn := func(r scenarios.Range, block, format string, args ...any) {
		p.Warnings = append(p.Warnings, problem(r, block, format, args...))
	}
	source := p.Scenario.Source
	rules, err := alertsOf(server, source, nil, nil).rules(ctx)
	if err != nil {
		warn(source.Range, fmt.Sprintf("prometheus %q", source.Name), "its alerting rules could not be asked for, and without them nothing is decided of alerts: %v", err)
		return
	}
	p.knowRules(rules, warn)
	for _, a := range p.Scenario.Alerts {
		if len(p.AlertRules(a.Name)) == 0 {
			warn(a.Range, fmt.Sprintf("alert %q", a.Name), "the server has no rule of this name, so nothing will be decided; is it written as in the rule?")
		}
	}
}

// knowRules keeps the rules, and says which claims about them cannot be seen or cannot come true.
func (p *Plan) knowRules(rules []metrics.AlertRule, warn report) {
	p.Alerts, p.AlertsKnown = rules, true
	sc := p.Scenario
	_, fault, recovery := p.Length()
	first, _ := span(p.Faults)
	history, shortest := sc.Baseline+first, p.shortestFault()
	for _, a := range sc.Alerts {
		block := fmt.Sprintf("alert %q", a.Name)
		if a.Within > fault+recovery {
			warn(a.Range, block, "within is %s, but the run ends %s after the first fault: it cannot be judged; make recovery longer", a.Within, fault+recovery)
		}
		for _, r := range p.AlertRules(a.Name) {
			where := r.Place()
			need := r.For + r.Interval
			if r.Lookback > history {
				warn(a.Range, block, "the rule at %s looks back %s, and only %s are recorded before the first fault, so nothing will be decided; make the baseline at least %s, or use a server, which has the history",
					where, r.Lookback, history, sc.Baseline+r.Lookback-history)
			}
			switch {
			case shortest > 0 && r.Rarest() > shortest:
				warn(a.Range, block, "the rule at %s%s is evaluated every %s, and the shortest fault lasts %s: it could miss it, and then nothing is decided", where, needed(r), r.Rarest(), shortest)
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
	var rare, far []string // of which nothing is claimed
	var farthest time.Duration
	for _, r := range rules {
		claimed := slices.ContainsFunc(sc.Alerts, func(a *scenarios.Alert) bool { return a.Name == r.Alert })
		if shortest > 0 && r.Rarest() > shortest && !claimed && !slices.Contains(rare, r.Alert) {
			rare = append(rare, r.Alert)
		}
		if r.Lookback > history && !claimed {
			farthest = max(farthest, r.Lookback)
			if !slices.Contains(far, r.Alert) {
				far = append(far, r.Alert)
			}
		}
	}
	if len(far) > 0 {
		warn(sc.Source.Range, fmt.Sprintf("prometheus %q", sc.Source.Name), "the rules of %s look back up to %s, and only %s are recorded before the first fault: whether they would fire will not be known",
			list(far), farthest, history)
	}
	if len(rare) > 0 {
		warn(sc.Source.Range, fmt.Sprintf("prometheus %q", sc.Source.Name), "the rules of %s are evaluated more rarely than the %s that the shortest fault lasts: they may never see it", list(rare), shortest)
	}
}

// needed says that it is a recording rule that makes a rule see so rarely.
func needed(r metrics.AlertRule) string {
	if r.Needs > r.Interval {
		return ", or a recording rule that it needs,"
	}
	return ""
}

// An alertWatch follows the alerts of a run while it goes on. A nil one does nothing.
type alertWatch struct {
	run     *Run
	source  alertSource
	rules   []metrics.AlertRule // as they were told at the start
	untold  string              // why they were not
	manager *managerWatch       // nil: nobody is asked whom alerts reach
	mute    string              // why the Alertmanager cannot be asked at all

	mu   sync.Mutex
	live map[ruleKey]*liveAlert
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

// watchAlerts prepares to follow alerts. It asks nobody yet.
func (r *Run) watchAlerts(src metrics.Source) *alertWatch {
	if !r.plan.watchesAlerts() {
		return nil
	}
	w := &alertWatch{run: r, live: map[ruleKey]*liveAlert{}}
	w.source = alertsOf(src, r.plan.Scenario.Source, r.plan.claimed(), w.changed)
	return w
}

// askRules asks which rules there are. That there is no answer makes verdicts inconclusive; it does not end the run.
func (w *alertWatch) askRules(ctx context.Context) {
	if w == nil {
		return
	}
	var err error
	if w.rules, err = w.source.rules(ctx); err != nil {
		w.untold = err.Error()
	}
	am := w.run.plan.Scenario.Source.Alertmanager
	if am == nil {
		return
	}
	manager, err := metrics.NewAlertmanager(serverConfig(am))
	if err != nil {
		w.mute = err.Error()
		return
	}
	w.manager = &managerWatch{manager: manager, routed: map[string][]routedAlert{}, write: func(n *journal.AlertRouted) { w.run.writeBy("alertmanager", n) }}
}

// unanswered are the times in which the Alertmanager gave no answer.
func (w *alertWatch) unanswered() []journal.AlertsUnanswered {
	if w.mute != "" {
		return []journal.AlertsUnanswered{{Why: w.mute}}
	}
	return w.manager.silences()
}

func (w *alertWatch) close() {
	if w != nil {
		w.manager.close()
	}
}

// declareAlerts writes down which rules are watched and what is claimed of them.
func (r *Run) declareAlerts() error {
	w := r.alerts
	if w == nil {
		return nil
	}
	d := &journal.AlertsDeclared{By: w.source.by(), Detail: w.untold, Expected: alertClaims(r.plan.Scenario.Alerts), Rules: alertRules(w.rules)}
	if w.manager != nil {
		d.Notifier = &journal.AlertManager{URL: w.manager.manager.URL(), Every: journal.Duration(alertsEvery)}
	}
	return r.write(d)
}

// blind are the rules of a server that are evaluated more rarely than the shortest fault lasts. Those of the embedded source are in the plan.
func (w *alertWatch) blind() []journal.BlindSpot {
	if w == nil || w.source.by() != journal.AlertServer {
		return nil
	}
	return w.run.plan.blindRules(w.rules)
}

// changed writes down what a source tells of a rule, if its state is another one than before.
func (w *alertWatch) changed(c metrics.AlertChange) {
	to := journal.AlertState(c.To)
	if c.Error != "" {
		to = journal.AlertUnknown
	}
	w.mu.Lock()
	l := w.live[keyOf(c.Rule)]
	if l == nil {
		l = &liveAlert{state: journal.AlertInactive}
		w.live[keyOf(c.Rule)] = l
	}
	from := l.state
	if from != to {
		l.since = c.At
	}
	l.state, l.active, l.detail = to, c.Active, c.Error
	w.mu.Unlock()
	if from == to {
		return
	}
	w.run.writeBy("prometheus", &journal.AlertChanged{Alert: c.Rule.Alert, Group: c.Rule.Group, Phase: w.run.currentPhase(), From: from, To: to, After: c.After.UTC(), At: c.At.UTC(),
		Labels: c.Labels, Active: c.Active, Detail: c.Error})
}

// follow follows the rules, and whom their alerts reach, until ctx ends.
func (w *alertWatch) follow(ctx context.Context) {
	if w == nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { w.source.follow(ctx) })
	wg.Go(func() { w.manager.follow(ctx) })
	wg.Wait()
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
		a.by = w.source.by()
		if !h.FaultStart.IsZero() {
			w.look(&a)
		}
	}
	var all []alertSeen
	for _, name := range a.names(claims) {
		i := slices.IndexFunc(claims, func(c *scenarios.Alert) bool { return c.Name == name })
		seen := a.see(name, i >= 0)
		if w != nil {
			if seen.event.Routed = w.manager.delay(name, a.effect()); seen.event.Routed != nil {
				seen.event.Routed.AtMost += journal.Duration(a.effect().Sub(a.soonest()))
			}
		}
		all = append(all, seen)
		if i >= 0 && !h.FaultStart.IsZero() || seen.restless() {
			r.write(seen.event)
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
		sum.Unanswered = w.unanswered()
		r.write(sum)
	}
	return worst
}

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
	if err := w.source.fill(ctx, a); err != nil {
		a.replayed, a.failed = nil, strings.TrimSpace(err.Error())
	}
}
