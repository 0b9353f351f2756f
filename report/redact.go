package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"gameday/runner/journal"
)

// write puts the events together again without what the audience does not read. One that does not fit its kind any more is one
// of an unknown kind.
func (r *redactor) write(events []journal.Event, trees []map[string]any, a journal.Audience) []journal.Event {
	out := make([]journal.Event, len(events))
	for i, e := range events {
		if role := e.Role(); r.public && role != "" {
			e.Actor = journal.Actor(r.role(role))
		} else {
			e.Actor = r.scrub(e.Actor)
		}
		kind := e.Payload.Kind()
		var payload journal.Payload = &journal.Unknown{Name: kind, Data: json.RawMessage("{}")}
		if _, unknown := e.Payload.(*journal.Unknown); trees[i] != nil && !(unknown && r.public) {
			trees[i]["data"] = r.data(trees[i]["data"], "", "")
			trees[i]["actor"] = e.Actor
			var again journal.Event
			if b, err := json.Marshal(trees[i]); err == nil && json.Unmarshal(b, &again) == nil {
				payload = again.Payload
			}
		}
		if p, ok := payload.(*journal.ReportDeclared); ok {
			p.Audience = a
			p.Fields = slices.DeleteFunc(p.Fields, func(f journal.Field) bool { return f.Private })
		}
		e.Payload = payload
		out[i] = e
	}
	return out
}

// authored are the keys under which stands what the authors of the scenario named or described, or what gameday counts by.
var authored = func() map[string]bool {
	out := map[string]bool{}
	for _, k := range strings.Fields(`run scenario title description tags fault hypothesis guardrail alert name target of named missing unexpected protect who step
		instructions watches version api cgroups fault_kind label type time_zone sections section headings said on query_id hash by noise`) {
		out[k] = true
	}
	return out
}()

// codes are words that gameday itself writes down.
var codes = func() map[string]bool {
	out := map[string]bool{}
	for _, k := range strings.Split(`baseline|fault|recovery|held|refuted|inconclusive|not tested|violated|within missed|not recovered|uncertain|no data|no data counted|gate|sham|not injected|
fault ended|hit nothing|stopped|error|aborted|residue|interrupted|due|restarted|put back|guardrail|recover|guard|waiting|holding|died|started|paused|unpaused|removed|oom|healthy|unhealthy|
starting|all|any|holds|violates|abort|ignore|server|embedded|replay|inactive|pending|firing|unknown|fired|quiet|missing|late|unwanted|by phase|by effect|already|unseen|too rare|too short|short history|not replayed|
range|rule|gap|down|never up|targets unchecked|moved and returned|moved and stayed|moved|appeared|vanished|level|rate|hypothesis|suppressed|no|always|unless-stopped|on-failure|none|one|
action|observation|expectation|assumption|decision|question|surprise|Ctrl-C|SIGTERM|SIGHUP|gameday abort|<|<=|>|>=|==|!=|NaN|+Inf|-Inf|true|false|team|organisation|public|
unconfirmed|unchecked|draft|in review|reviewed|closed|vent`, "|") {
		out[strings.TrimSpace(k)] = true
	}
	return out
}()

var (
	quantityText = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]+)?( ?(%|[numµ]?s|m|h|B|[kKMGT]i?B(/s)?|[kmg]?bit))?$`)
	evidenceText = regexp.MustCompile(`^[EGNQ][0-9]+$`)
)

// harmless says that a text tells nothing about anybody's system.
func harmless(s string) bool {
	if s == "" || codes[s] || quantityText.MatchString(s) || evidenceText.MatchString(s) {
		return true
	}
	if _, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return true
	}
	_, err := time.ParseDuration(s)
	return err == nil
}

// data is a part of an event as the audience may read it.
func (r *redactor) data(v any, parent, key string) any {
	switch v := v.(type) {
	case map[string]any:
		return r.object(v, parent, key)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = r.data(x, parent, key)
		}
		return out
	case json.Number:
		if r.public && key == "pid" {
			return 0
		}
	case string:
		return r.text(v, parent, key)
	}
	return v
}

func (r *redactor) object(v map[string]any, parent, key string) any {
	out := map[string]any{}
	if !r.public {
		for k, x := range v {
			out[k] = r.data(x, key, k)
		}
		return out
	}
	switch key {
	case "labels", "target":
		labels := map[string]string{}
		for k, x := range v {
			labels[k] = fmt.Sprint(x)
		}
		return r.series(labels)
	case "variables":
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out[r.scrub(k)] = leftOut
		}
		return out
	case "headings":
		for k, x := range v {
			text, _ := x.(string)
			out[k] = r.scrub(text)
		}
		return out
	case "undo": // how to undo something
		return out
	}
	for _, k := range slices.Sorted(maps.Keys(v)) {
		out[k] = r.data(v[k], key, k)
	}
	if key == "fields" && ofPeople(v) {
		out["value"] = r.rolesIn(v["value"])
	}
	return out
}

// text is one text of an event as the audience may read it.
func (r *redactor) text(s, parent, key string) string {
	switch {
	case !r.public && parent == "variables" && r.exact[s]:
		return privateOut
	case !r.public:
		return r.scrub(s)
	}
	kind := namesOf(parent, key)
	switch {
	case kind == "role" && codes[s]: // how alerts are known
		return s
	case kind == "role":
		return r.role(s)
	case key == "sha256" || key == "file" && parent != "files" && parent != "rules" && parent != "unread" && parent != "": // a place in a file that has another name here
		return ""
	case kind != "":
		return r.pseudonym(kind, s)
	case authored[key]:
		return r.scrub(s)
	case harmless(s):
		return s
	}
	switch key {
	case "url", "endpoint", "from", "group", "service":
		return ""
	case "expect", "abort_when":
		if strings.ContainsAny(s, "\"'`") {
			return leftOut
		}
		return r.scrub(s)
	case "value":
		if parent == "fields" {
			return r.scrub(s)
		}
		if p, known := r.secrets[s]; known {
			return p
		}
	case "text":
		if parent == "templates" {
			return r.template(s)
		}
	}
	return leftOut
}

var slotText = regexp.MustCompile(`\{\{[^}]*\}\}`)

// template scrubs a section template between its slots.
func (r *redactor) template(s string) string {
	var b strings.Builder
	from := 0
	for _, at := range slotText.FindAllStringIndex(s, -1) {
		slot := s[at[0]:at[1]]
		if strings.Contains(slot, "field") {
			slot = r.scrub(slot) // as the name of the field itself
		}
		b.WriteString(r.scrub(s[from:at[0]]) + slot)
		from = at[1]
	}
	b.WriteString(r.scrub(s[from:]))
	return b.String()
}

// series is a set of labels as the public reads it: told from others, and no more.
func (r *redactor) series(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return map[string]string{}
	}
	return map[string]string{"series": strings.TrimPrefix(r.pseudonym("series", "\x00"+formatLabels(labels)), "series ")}
}

// query is what a query returned as the audience may read it.
func (r *redactor) query(q journal.Query) *journal.Query {
	out := q
	out.Name, out.Text = r.scrub(q.Name), r.scrub(q.Text)
	if r.public {
		out.Text = leftOut
	}
	out.Samples = slices.Clone(q.Samples)
	for i := range out.Samples {
		s := &out.Samples[i]
		if s.Error = r.scrub(s.Error); s.Error != "" && r.public {
			s.Error = leftOut
		}
		s.Series = slices.Clone(s.Series)
		for j := range s.Series {
			v := &s.Series[j]
			if r.public {
				v.Labels = r.series(v.Labels)
				continue
			}
			labels := map[string]string{}
			for k, x := range v.Labels {
				labels[k] = r.scrub(x)
			}
			v.Labels = labels
		}
	}
	return &out
}
