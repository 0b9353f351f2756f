package report

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gameday/report/blameless"
	"gameday/runner/journal"
)

// appendix is where every citation leads, what was in force, and what the record lacks.
func (f *facts) appendix() Section {
	s := Section{ID: "appendix", Version: 1, Title: "Appendix"}
	s.Items = append(s.Items, Heading{ID: "configuration", Text: words("Configuration in force")})
	s.Items = append(s.Items, f.configuration())
	s.Items = append(s.Items, Heading{ID: "damage", Text: words("State of the record")})
	if len(f.rec.Damage) == 0 && f.ended != nil {
		s.Items = append(s.Items, Para{say(cite(f.first, f.last), "The record is whole: it can be read from its first event to its last.")})
	} else {
		points := Points{}
		if f.ended == nil {
			points = append(points, []Sentence{say([]string{f.last}, "The record ends at {} without an end of the run.", At(f.to))})
		}
		for _, d := range f.rec.Damage {
			points = append(points, []Sentence{f.damageSentence(d)})
		}
		s.Items = append(s.Items, points)
	}
	s.Items = append(s.Items, f.language()...)
	s.Items = append(s.Items, f.allMovements()...)
	s.Items = append(s.Items, Heading{ID: "evidence", Text: words("Evidence: events")})
	events := Table{Columns: []string{"Event", f.clock.column(), "T", "Actor", "Kind", "What"}, Index: true}
	for i, m := range f.moments() {
		e := f.index.Events[i]
		events.Rows = append(events.Rows, Row{Evidence: []string{e.ID}, Payload: f.payload(e.Event), Cells: []Phrase{
			words("{}", Exact(e.Event.Time)), words("{}", Since(e.Event.Time)), words("{}", Name(e.Event.Actor)), words("{}", Name(e.Event.Payload.Kind())), m.text}})
	}
	s.Items = append(s.Items, events, Heading{ID: "queries", Text: words("Evidence: queries")})
	if len(f.index.Queries) == 0 {
		s.Items = append(s.Items, Para{say([]string{f.declaredEvidence()}, "Nothing was asked of a source of numbers.")})
		return s
	}
	queries := Table{Columns: []string{"Query", "For", "Text", "Every", "Samples"}, Index: true}
	public := f.audience == journal.AudiencePublic // which reads no query
	if public {
		queries.Columns = slices.Delete(queries.Columns, 2, 3)
	}
	for _, q := range f.index.Queries {
		samples := words("none in the record")
		if q.Query != nil && len(q.Query.Samples) > 0 {
			n := q.Query.Samples
			samples = words("{}, from {} to {}, in {}", Count{N: len(n)}, At(n[0].At), At(n[len(n)-1].At), Name("samples/"+q.ID+".jsonl"))
		}
		asked := words("{}", Name(oneLine(q.Text)))
		if there := f.inPrometheus(q.Text); there != "" {
			asked = words("{}, {}", Name(oneLine(q.Text)), Elsewhere{"in Prometheus", there})
		}
		cells := []Phrase{words("{} {}", Name(q.Purpose), Name(q.Name)), asked, words("{}", Dur(q.Every)), samples}
		if public {
			cells = slices.Delete(cells, 1, 2)
		}
		queries.Rows = append(queries.Rows, Row{Evidence: []string{q.ID}, Cells: cells})
	}
	s.Items = append(s.Items, queries)
	return s
}

// language sums up what the lint of blaming words finds in people's notes. The public does not read them.
func (f *facts) language() []Item {
	if f.audience == journal.AudiencePublic {
		return nil
	}
	out := []Item{Heading{ID: "language", Text: words("Language")}}
	if len(f.notes) == 0 {
		return append(out, Para{say(cite(f.first, f.last), "No note is in the record, so the language lint had nothing of people's to read.")})
	}
	var found []string
	var read Tally
	for _, n := range f.notes {
		read = append(read, n.id)
		if slices.ContainsFunc(blameless.Lint("", []byte(n.p.Text), blameless.Options{}), func(x blameless.Finding) bool { return x.Severity != blameless.Suggestion }) {
			found = append(found, n.id)
		}
	}
	if len(found) == 0 {
		return append(out, Para{say([]string{f.last}, "Of {} {} the language lint asks about none.", read, plural(len(f.notes), "note", "notes"))})
	}
	return append(out, Para{say(found, "Of {} {} the language lint asks about {}. {} says what to ask instead, of notes and of all that people write into the draft.",
		read, plural(len(f.notes), "note", "notes"), Count{len(found), found}, Command("gameday lint "+f.directory()+"/report.md"))})
}

// inPrometheus is where the server that was asked draws a query over the time of the run; "" where there was no server.
func (f *facts) inPrometheus(query string) string {
	src := f.started.p.Source
	if src == nil || query == "" || query == leftOut {
		return ""
	}
	u, err := url.Parse(src.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	u = u.JoinPath("graph")
	u.User, u.Fragment = nil, ""
	seconds := int(f.to.Sub(f.from)/time.Second) + 1
	u.RawQuery = url.Values{
		"g0.expr": {query}, "g0.tab": {"0"}, "g0.range_input": {strconv.Itoa(seconds) + "s"}, "g0.end_input": {f.to.UTC().Add(time.Second).Format("2006-01-02 15:04:05")},
	}.Encode()
	return u.String()
}

// oneLine is a query as one line to read; one with a comment in it needs its lines, and keeps them.
func oneLine(query string) string {
	if query = strings.TrimSpace(query); strings.Contains(query, "#") {
		return query
	}
	lines := strings.Split(query, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	return strings.Join(lines, " ")
}

// payload is an event as it stands in the journal; the public does not read it.
func (f *facts) payload(e journal.Event) string {
	if f.audience == journal.AudiencePublic {
		return ""
	}
	b, err := json.Marshal(e)
	if err != nil {
		return ""
	}
	var out bytes.Buffer
	if json.Indent(&out, b, "", "  ") != nil {
		return string(b)
	}
	return out.String()
}

func (f *facts) configuration() Facts {
	p, start := f.started.p, cite(f.started.id, f.first)[:1]
	facts := Facts{row(start, words("Seed"), words("{}", Seed(p.Seed)))}
	for _, file := range p.Files {
		value := words("{}", Name(file.Name))
		if isDigest(file.SHA256) {
			value = words("{}, sha256 {}", Name(file.Name), Name(file.SHA256))
		}
		facts = append(facts, row(start, words("File"), value))
	}
	if isDigest(p.Hash) {
		facts = append(facts, row(start, words("All files"), words("sha256 {}", Name(p.Hash))))
	}
	facts = append(facts, f.variables(start)...)
	on := words("{}", Name(p.Host))
	if p.PID > 0 {
		on = words("{}, process {}", Name(p.Host), Count{N: p.PID})
	}
	facts = append(facts, row(start, words("Ran on"), on))
	if d := f.declared; d.id != "" {
		facts = append(facts, row([]string{d.id}, words("Baseline and recovery"), words("{} and {}", Dur(d.p.Baseline), Dur(d.p.Recovery))))
		for _, x := range d.p.Faults {
			args := List{}
			for _, a := range x.Args {
				args = append(args, Inner(words("{} = {}", Name(a.Name), Name(a.Value))))
			}
			text := words("{}, starts {} after the baseline", Name(x.FaultKind), Dur(x.Start))
			if x.Duration > 0 {
				text.Template, text.Args = text.Template+", lasts {}", append(text.Args, Dur(x.Duration))
			}
			if len(args) > 0 {
				text.Template, text.Args = text.Template+", {}", append(text.Args, args)
			}
			facts = append(facts, row([]string{d.id}, words("Fault {}", Name(x.Name)), text))
		}
	}
	return facts
}

// variables are the variables of the scenario; the public reads no more than their names.
func (f *facts) variables(ids []string) Facts {
	var out Facts
	var unread List
	vars := f.started.p.Variables
	for _, n := range slices.Sorted(maps.Keys(vars)) {
		if vars[n] == leftOut {
			unread = append(unread, Name(n))
			continue
		}
		out = append(out, row(ids, words("Variable {}", Name(n)), words("{}", Name(vars[n]))))
	}
	switch {
	case len(unread) > 0:
		return append(out, row(ids, words("Variables"), words("{}; their values are left out", unread)))
	case len(out) == 0:
		return Facts{row(ids, words("Variables"), words("none"))}
	}
	return out
}
