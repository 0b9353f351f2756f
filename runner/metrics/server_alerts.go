package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
)

// A ServerRule is one alerting rule of a server, with how its last evaluation went.
type ServerRule struct {
	AlertRule
	State     AlertState
	Evaluated time.Time         // last; zero: not yet
	Error     string            // of the last evaluation; empty: it went well
	Oldest    map[string]string // labels of the alert that has been active for the longest time; nil: there is none
	Active    int
	Whole     string // its expression with what recording rules evaluate in the place of what they write, as far as that is the same
}

// ruleGroups asks for the server's rules and reads what of them groups has fields for.
func (s *Server) ruleGroups(ctx context.Context, groups any) error {
	asked, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	a, err := s.get(asked, "rules", url.Values{})
	if err != nil {
		return s.explain(ctx, err)
	}
	if err := json.Unmarshal(a.Data.Groups, groups); err != nil {
		return s.unreadRules(err.Error())
	}
	return nil
}

func (s *Server) unreadRules(why string) error {
	return s.errorf(nil, "the server's rules cannot be read: %s", s.foreign(why, 300))
}

// Rules are the server's alerting rules with their states. An alert that reads what a recording rule writes has that one's error, too.
// Servers that speak only the query API have no answer to this.
func (s *Server) Rules(ctx context.Context) ([]ServerRule, error) {
	var groups []struct {
		Name     string  `json:"name"`
		File     string  `json:"file"`
		Interval float64 `json:"interval"`
		Rules    []struct {
			Type           string            `json:"type"`
			Name           string            `json:"name"`
			Query          string            `json:"query"`
			State          AlertState        `json:"state"`
			Duration       float64           `json:"duration"`
			KeepFiringFor  float64           `json:"keepFiringFor"`
			Labels         map[string]string `json:"labels"`
			LastError      string            `json:"lastError"`
			LastEvaluation time.Time         `json:"lastEvaluation"`
			Alerts         []struct {
				Labels   map[string]string `json:"labels"`
				ActiveAt time.Time         `json:"activeAt"`
			} `json:"alerts"`
		} `json:"rules"`
	}
	if err := s.ruleGroups(ctx, &groups); err != nil {
		return nil, err
	}
	if groups == nil {
		return nil, s.unreadRules("there are no groups in them")
	}
	var out []ServerRule
	var recording recordings
	for _, g := range groups {
		for _, r := range g.Rules {
			if r.Type == "recording" {
				recording = append(recording, recordingRule{r.Name, r.Query, s.foreign(r.LastError, 300), seconds(g.Interval), r.Labels})
			}
			if r.Type != "alerting" {
				continue
			}
			one := ServerRule{State: r.State, Error: s.foreign(r.LastError, 300), Active: len(r.Alerts), AlertRule: AlertRule{Alert: r.Name, Group: g.Name,
				File: g.File, Expr: r.Query, Interval: seconds(g.Interval), Given: true, For: seconds(r.Duration), KeepFiringFor: seconds(r.KeepFiringFor), Labels: r.Labels}}
			if r.LastEvaluation.Year() > 1 {
				one.Evaluated = r.LastEvaluation
			}
			var oldest time.Time
			for _, a := range r.Alerts {
				if oldest.IsZero() || a.ActiveAt.Before(oldest) {
					oldest, one.Oldest = a.ActiveAt, a.Labels
				}
			}
			if one.State.furthest() == 0 {
				one.State = AlertInactive
			}
			out = append(out, one)
		}
	}
	failed := failedRecordings(recording)
	for i := range out {
		if out[i].Error == "" {
			out[i].Error = readsFailed(out[i].Expr, failed)
		}
		out[i].Whole, out[i].Needs = recording.reads(out[i].Expr, out[i].Interval, nil)
	}
	return out, nil
}

// A recordingRule of a server, with the error of its last evaluation; empty: it went well.
type recordingRule struct {
	record, expr, err string
	interval          time.Duration
	labels            map[string]string
}

// failedRecordings are the recording rules that failed, and those that read what these should have written.
func failedRecordings(rules []recordingRule) (failed []recordingRule) {
	ok := slices.Clone(rules)
	for more := true; more; {
		more = false
		ok = slices.DeleteFunc(ok, func(r recordingRule) bool {
			if r.err == "" {
				r.err = readsFailed(r.expr, failed)
			}
			if r.err != "" {
				failed, more = append(failed, r), true
			}
			return r.err != ""
		})
	}
	return failed
}

// readsFailed says in words that an expression reads what a recording rule could not write; empty: it does not, as far as is known.
func readsFailed(expr string, failed []recordingRule) string {
	if len(failed) == 0 {
		return ""
	}
	parsed, err := promQL.ParseExpr(expr)
	if err != nil {
		return "" // a dialect
	}
	for _, sel := range selectors(parsed) {
		for _, f := range failed {
			if sel.reads(f.record) {
				return fmt.Sprintf("the recording rule %s: %s", f.record, f.err)
			}
		}
	}
	return ""
}

func seconds(s float64) time.Duration { return time.Duration(math.Round(s * float64(time.Second))) }

// Recorded is what the server recorded of its alerts in the time of a run: for each rule its spells, in the one phase in which the
// server evaluates. Rules of one name cannot be told apart in the record, so each of them has the spells of all.
func (s *Server) Recorded(ctx context.Context, rules []ServerRule, span Span) (*Replayed, error) {
	began := time.Now()
	from, to := span.From, span.To
	length := to.Sub(from).Truncate(time.Millisecond) + time.Millisecond
	asked, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	a, err := s.get(asked, "query", url.Values{
		"query": {fmt.Sprintf("%s[%dms]", alertsMetric, length.Milliseconds())},
		"time":  {strconv.FormatFloat(float64(to.UnixMilli())/1000, 'f', 3, 64)},
	})
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	var series []struct {
		Metric map[string]string    `json:"metric"`
		Values [][2]json.RawMessage `json:"values"`
	}
	if err := json.Unmarshal(a.Data.Result, &series); err != nil {
		return nil, s.errorf(nil, "the server's record of its alerts cannot be read: %s", s.foreign(err.Error(), 300))
	}
	intervals := map[string]time.Duration{}
	for _, r := range rules {
		intervals[r.Alert] = max(intervals[r.Alert], r.Interval)
	}
	type key struct{ alert, labels string }
	instances := map[key][]recordedState{}
	sets := map[key]map[string]string{}
	for _, x := range series {
		state := AlertState(x.Metric[stateLabel])
		delete(x.Metric, stateLabel)
		delete(x.Metric, model.MetricNameLabel)
		k := key{x.Metric[alertNameLabel], labelText(x.Metric)}
		sets[k] = x.Metric
		for _, v := range x.Values {
			var t float64
			if err := json.Unmarshal(v[0], &t); err != nil {
				return nil, s.errorf(nil, "the server's record of its alerts has a time that cannot be read")
			}
			instances[k] = append(instances[k], recordedState{time.UnixMilli(int64(math.Round(t * 1000))).UTC(), state})
		}
	}
	spells := map[string][]Spell{}
	for k, states := range instances {
		interval := intervals[k.alert]
		if interval == 0 {
			interval = DefaultEvaluation
		}
		spells[k.alert] = append(spells[k.alert], spellsOf(states, sets[k], interval, to)...)
	}
	out := &Replayed{Phases: 1}
	known := steps{}
	for _, r := range rules {
		list := slices.Clone(spells[r.Alert])
		sortSpells(list)
		one := ReplayedRule{Rule: r.AlertRule, Phases: []RulePhase{{First: from, Last: to, Spells: list}}}
		if r.Error != "" {
			at := r.Evaluated
			if at.After(to) {
				at = to // it is the last that the server tells of, and the one before may have failed, too
			}
			one.Phases[0].Failed = []FailedEvaluation{{at, r.Error}}
		}
		if one.Unseen = s.unseen(ctx, r, from, to); len(list) > 0 {
			one.Unseen = ""
		}
		if one.Lost, err = s.lost(ctx, r, span, known); err != nil && one.Unseen == "" {
			one.Unseen = "what the rule reads could not be asked for: " + err.Error()
		}
		out.Rules = append(out.Rules, one)
	}
	out.Took = time.Since(began)
	return out, nil
}

// A recordedState is one sample of ALERTS.
type recordedState struct {
	at    time.Time
	state AlertState
}

// spellsOf puts the samples of one instance together. Where the next one is more than an interval away, the spell was over one
// interval after the last.
func spellsOf(states []recordedState, set map[string]string, interval time.Duration, to time.Time) []Spell {
	sort.SliceStable(states, func(i, j int) bool { return states[i].at.Before(states[j].at) })
	var out []Spell
	for i, s := range states {
		if i == 0 || s.at.Sub(states[i-1].at) > interval+interval/2 {
			if i > 0 {
				out[len(out)-1].Resolved = states[i-1].at.Add(interval)
			}
			out = append(out, Spell{Labels: set, Pending: s.at})
		}
		if x := &out[len(out)-1]; s.state == AlertFiring && x.Firing.IsZero() {
			x.Firing = s.at
		}
	}
	if n := len(states); n > 0 && to.Sub(states[n-1].at) > interval+interval/2 {
		out[len(out)-1].Resolved = states[n-1].at.Add(interval)
	}
	return out
}

// unseen says in words why a rule of the server may have had nothing to see; empty: nothing speaks for it. A rule in a dialect that
// is not known here is not looked into.
func (s *Server) unseen(ctx context.Context, r ServerRule, from, to time.Time) string {
	if r.Evaluated.Before(from) {
		return "the server did not evaluate the rule in the time of the run"
	}
	expr, err := promQL.ParseExpr(r.Expr)
	if err != nil {
		return ""
	}
	length := to.Sub(from).Truncate(time.Millisecond) + time.Millisecond
	for _, sel := range selectors(expr) {
		if sel.absent || sel.readsAlerts() {
			continue
		}
		there := func(sel selector) (bool, error) {
			res, err := s.Query(ctx, fmt.Sprintf("count(count_over_time(%s[%dms]))", sel, length.Milliseconds()), to)
			return len(res.Series) > 0, err
		}
		found, err := there(sel)
		if general := sel.withoutOutcome(); err == nil && !found && len(general.matchers) < len(sel.matchers) && general.named() {
			found, err = there(general)
		}
		switch {
		case err != nil:
			return "what the rule reads could not be asked for: " + err.Error()
		case !found:
			return fmt.Sprintf("no series matched %s at any time", sel)
		}
	}
	return ""
}

// An Alertmanager is where a server's alerts go to, and from where people are told.
type Alertmanager struct{ server *Server }

// NewAlertmanager checks the settings. It connects to nothing. The URL is what precedes /api/v2.
func NewAlertmanager(c ServerConfig) (*Alertmanager, error) {
	s, err := NewServer(c)
	if err != nil {
		return nil, fmt.Errorf("alertmanager: %w", err)
	}
	if c.HideURL {
		s.shown = "the Alertmanager"
	}
	return &Alertmanager{s}, nil
}

// URL is its address without credentials; empty where it must not be shown.
func (m *Alertmanager) URL() string { return m.server.Info().URL }

// Close gives the connections back.
func (m *Alertmanager) Close() error { return m.server.Close() }

// A Notification is one alert that has reached the Alertmanager.
type Notification struct {
	Labels    map[string]string
	Receivers []string
	Muted     string // "silenced", "inhibited"; empty: it is not
	StartsAt  time.Time
}

// Alert is the name of the alert.
func (n Notification) Alert() string { return n.Labels[alertNameLabel] }

// Key tells one alert from another.
func (n Notification) Key() string { return labelText(n.Labels) }

// Active are the alerts that it has now, silenced ones included, in the order of their labels.
func (m *Alertmanager) Active(ctx context.Context) ([]Notification, error) {
	s := m.server
	asked, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if s.closed.Load() {
		return nil, errors.New("alertmanager: it was closed")
	}
	response, raw, err := s.fetch(asked, s.base.JoinPath("api", "v2", "alerts"), "GET", "")
	if err != nil {
		return nil, fmt.Errorf("alertmanager: %w", s.explain(ctx, err))
	}
	var list []struct {
		Labels    map[string]string `json:"labels"`
		Receivers []struct {
			Name string `json:"name"`
		} `json:"receivers"`
		Status struct {
			State       string   `json:"state"`
			SilencedBy  []string `json:"silencedBy"`
			InhibitedBy []string `json:"inhibitedBy"`
		} `json:"status"`
		StartsAt time.Time `json:"startsAt"`
	}
	if response.StatusCode != 200 {
		return nil, fmt.Errorf("alertmanager: %s answered %d: %s", s.shown, response.StatusCode, s.foreignBody(raw))
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("alertmanager: %s has no Alertmanager API (its answer cannot be read): is the url that of an Alertmanager, and its path what precedes /api/v2?", s.shown)
	}
	var out []Notification
	for _, a := range list {
		n := Notification{Labels: a.Labels, StartsAt: a.StartsAt}
		switch {
		case a.Status.State != "suppressed":
		case len(a.Status.SilencedBy) > 0 && len(a.Status.InhibitedBy) > 0:
			n.Muted = "silenced and inhibited"
		case len(a.Status.SilencedBy) > 0:
			n.Muted = "silenced"
		case len(a.Status.InhibitedBy) > 0:
			n.Muted = "inhibited"
		default:
			n.Muted = a.Status.State
		}
		for _, r := range a.Receivers {
			n.Receivers = append(n.Receivers, s.foreign(r.Name, 100))
		}
		out = append(out, n)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Key() < out[j].Key() })
	return out, nil
}
