package report

import (
	"strings"

	"gameday/runner/journal"
)

// header says what was run, where and with what.
func (f *facts) header() Section {
	s := Section{ID: "header", Version: 1}
	start := cite(f.started.id, f.first)[:1]
	p := f.started.p
	var facts Facts
	add := func(label string, ids []string, value Phrase) {
		facts = append(facts, row(ids, words(label), value))
	}
	if f.ended != nil {
		add("Outcome", []string{f.ended.id}, words("{} (exit code {})", outcomeValue(f.ended.p.Outcome), Count{N: f.ended.p.ExitCode}))
	} else {
		add("Outcome", []string{f.last}, words("not in the record"))
	}
	if p.Scenario != "" {
		value := words("{}", Name(p.Scenario))
		if isDigest(p.Hash) {
			value = words("{}, sha256 {}", Name(p.Scenario), Name(short(p.Hash)))
		}
		add("Scenario", start, value)
	}
	add("Run", start, words("{}", Name(f.runID())))
	if f.earlier != nil {
		add("Run before", []string{f.earlier.id}, f.runBefore())
	}
	add("Window", cite(f.first, f.last), words("{}, {} to {} ({})", Date(f.from), TimeOfDay(f.from), TimeOfDay(f.to), Span{From: f.from, To: f.to}))
	zone, clock := Value(Word("UTC")), func(ids ...string) []string { return ids }
	if f.clock.Zone != nil {
		zone, clock = Name(f.clock.ZoneName()), func(ids ...string) []string { return cite(append(ids, f.custom.id)...) }
	}
	switch f.clock.From {
	case fromFaults:
		add("Clock", clock(f.faultPhase()), words("{}; {} is {}, the moment from which the starts of the faults count", zone, Since(f.clock.Zero), Exact(f.clock.Zero)))
	case fromPhase:
		add("Clock", clock(f.faultPhase()), words("{}; {} is {}, the beginning of the fault phase", zone, Since(f.clock.Zero), Exact(f.clock.Zero)))
	default:
		add("Clock", clock(f.first), words("{}; {} is {}, the start of the run; the record has no fault phase", zone, Since(f.clock.Zero), Exact(f.clock.Zero)))
	}
	facts = append(facts, f.audienceRow()...)
	facts = append(facts, f.fieldRows()...)
	for _, t := range f.targets {
		var chosen List
		for _, c := range t.p.Chosen {
			if isDigest(c.ImageID) {
				chosen = append(chosen, Inner(words("{} ({}, {})", Name(c.Name), Name(c.Image), Name(short(c.ImageID)))))
			} else {
				chosen = append(chosen, Inner(words("{} ({})", Name(c.Name), Name(c.Image))))
			}
		}
		if len(chosen) == 0 {
			add("Target", []string{t.id}, words("{}: no container", Name(t.p.Target)))
			continue
		}
		add("Target", []string{t.id}, words("{}: {}", Name(t.p.Target), chosen))
	}
	if len(f.targets) == 0 {
		add("Targets", []string{f.last}, words("none in the record"))
	}
	if e := p.Engine; e.Version != "" || e.Name != "" {
		value := words("Docker {} (API {}) on {}", Name(e.Version), Name(e.API), Name(e.Name))
		for _, part := range []struct{ template, text string }{{", {}", e.OS}, {", kernel {}", e.Kernel}, {", cgroups {}", e.Cgroups}} {
			if part.text != "" && part.text != leftOut {
				value.Template += part.template
				value.Args = append(value.Args, Name(part.text))
			}
		}
		add("Engine", start, value)
	}
	switch src := p.Source; {
	case src == nil:
		add("Numbers from", start, words("no source: the scenario asks nothing"))
	default:
		value := words("{}, a Prometheus server", Name(src.Name))
		if src.Type == "embedded" {
			value = words("{}, the built-in Prometheus engine", Name(src.Name))
		}
		for _, part := range []struct{ template, text string }{{", version {}", src.Version}, {", at {}", src.URL}, {", scraping every {}", src.Interval}} {
			if part.text != "" {
				value.Template += part.template
				value.Args = append(value.Args, Name(part.text))
			}
		}
		add("Numbers from", start, value)
	}
	if roles, ids := f.everyRole(); len(roles) > 0 {
		add("Roles", ids, words("{}", roles))
	}
	add("Written by", start, words("gameday {}", Name(p.Version)))
	if f.status == nil {
		add("Status", start, words("draft (after that: in review, reviewed, closed)"))
	} else {
		add("Status", []string{f.status.id}, words("{}, set by {} on {}", Word(f.status.p.Status), roleName(f.status.role), Date(f.status.at)))
	}
	s.Items = append(s.Items, facts)
	if p.Description != "" {
		s.Items = append(s.Items, Para{say(start, "Why this was rehearsed, in the scenario's words: {}", Prose(strings.Join(strings.Fields(p.Description), " ")))})
	}
	if len(f.custom.p.Templates) > 0 {
		s.Items = append(s.Items, Para{say([]string{f.custom.id}, "Quotations with a bar beside them are text of the scenario's section templates, and nobody's evidence.")})
	}
	s.Items = append(s.Items, Para{say(start, "Shaded text (in report.md: text between gameday's markers) was assembled from evidence; plain text is people's.")})
	return s
}

func (f *facts) faultPhase() string {
	for _, p := range f.phases {
		if p.p.Phase == journal.Fault {
			return p.id
		}
	}
	return f.first
}

// isDigest says that a text is the sha256 of something.
func isDigest(text string) bool {
	hex := strings.TrimPrefix(text, "sha256:")
	return len(hex) >= 40 && strings.Trim(hex, "0123456789abcdef") == ""
}

// short cuts a digest down to what people compare, and keeps anything else.
func short(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	if !isDigest(digest) {
		return digest
	}
	if hex != digest {
		return "sha256:" + hex[:12]
	}
	return hex[:12]
}

// outcomeValue is the outcome as a sentence shows it.
func outcomeValue(o journal.Outcome) Value {
	switch o {
	case journal.OutcomeHeld, journal.OutcomeError, journal.OutcomeRefuted, journal.OutcomeInconclusive, journal.OutcomeNotInjected,
		journal.OutcomeAborted, journal.OutcomeResidue, journal.OutcomeInterrupted, "":
		return Word(outcomeWord(o))
	}
	return Name(o)
}

// outcomeWord is the outcome as people read it; an outcome that this version does not know is shown as it is.
func outcomeWord(o journal.Outcome) string {
	switch o {
	case journal.OutcomeAborted:
		return "aborted by a guardrail"
	case journal.OutcomeResidue:
		return "undo not complete"
	case journal.OutcomeInterrupted:
		return "interrupted and undone"
	case journal.OutcomeError:
		return "ended by an error"
	case "":
		return "not in the record"
	}
	return visible(string(o))
}
