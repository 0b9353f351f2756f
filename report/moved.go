package report

import (
	"strings"
	"time"

	"gameday/runner/journal"
)

const (
	// mostMoved of the movements stand in the draft's own section; the appendix has the others.
	mostMoved = 10
)

// whatElseMoved is the section about what moved in all series in reach. Records of earlier versions, and those that end too soon,
// have none.
func (f *facts) whatElseMoved() []Section {
	if f.moved == nil {
		return nil
	}
	s := Section{ID: "moved", Version: 1, Title: "What else moved"}
	m, ids := f.moved.p, []string{f.moved.id}
	if m.Why != "" {
		s.Items = append(s.Items, Para{say(ids, "What else moved was not computed: {}.", Quote(m.Why))})
		return []Section{s}
	}
	s.Items = append(s.Items, f.comparison())
	if len(m.Findings) == 0 {
		s.Items = append(s.Items, Para{say(ids, "Nothing moved by more than it does by itself.")})
		return []Section{s}
	}
	s.Items = append(s.Items, f.movements(m.Findings[:min(mostMoved, len(m.Findings))]))
	return []Section{s}
}

// comparison says what was compared, what came of it, and against what it was held.
func (f *facts) comparison() Para {
	m, ids := f.moved.p, []string{f.moved.id}
	var windows, counts List
	for _, w := range m.Windows {
		if w.Bins == 0 {
			continue
		}
		windows = append(windows, Inner(words("the {} from {} to {}", Name(w.Phase), At(w.From), At(w.To))))
	}
	for _, c := range m.Counts {
		counts = append(counts, Inner(words("{} {}", Count{N: c.Movements}, changeWord(c.Change))))
	}
	out := Para{say(ids, "All {} series in reach were compared, in bins of {}: {}.", Count{N: m.Compared}, Dur(m.Bin), windows)}
	if m.Selector != "" {
		out = append(out, say(ids, "In reach is {}.", Name(m.Selector)))
	}
	if m.Left != "" {
		out = append(out, say(ids, "Not all of them were read: {}.", Quote(m.Left)))
	}
	if len(counts) > 0 {
		out = append(out, say(ids, "Of metrics on one target: {}.", counts))
	}
	switch {
	case f.started.p.Sham:
		out = append(out, say(cite(f.moved.id, f.started.id), "Nothing was injected: all of this moved by itself."))
	case m.Noise == nil:
		out = append(out, say(ids, "No sham run of this scenario stood beside this run, so how much of this moves by itself is not known."))
	default:
		out = append(out, say(ids, "In the sham run {} there were {} movements; {} of those kept here were no larger than there.",
			Name(m.Noise.Run), Count{N: m.Noise.Movements}, Count{N: m.Noise.Within}))
	}
	return out
}

// movements is a table of them.
func (f *facts) movements(list []journal.Movement) Table {
	t := Table{Columns: []string{"Metric", "Target", "Became", "Baseline", "Fault", "Recovery", "Rank", "Named in"}}
	if f.moved.p.Noise != nil {
		t.Columns = append(t.Columns, "In the sham run")
	}
	for _, m := range list {
		named := words("nothing")
		if len(m.Named) > 0 {
			var names List
			for _, n := range m.Named {
				names = append(names, Name(n))
			}
			named = words("{}", names)
		}
		cells := []Phrase{metricCell(m), words("{}", Labels(m.Target)), words("{}", changeWord(m.Change)), movedLevel(m, m.Baseline), movedLevel(m, m.Fault),
			movedLevel(m, m.Recovery), words("{}", Num(m.Rank)), named}
		if f.moved.p.Noise != nil {
			cells = append(cells, shamCell(m))
		}
		t.Rows = append(t.Rows, row([]string{f.moved.id}, cells...))
	}
	return t
}

// metricCell names what moved, with the labels by which the strongest of its series differs from others on the same target.
func metricCell(m journal.Movement) Phrase {
	if m.Metric == "" {
		return words("{} of its series", Count{N: m.Series})
	}
	p := words("{}", Name(m.Metric))
	own := Labels{}
	for name, v := range m.Labels {
		if _, ok := m.Target[name]; !ok && name != "id" { // cAdvisor's, which repeats the container
			own[name] = v
		}
	}
	if len(own) > 0 {
		p.Template, p.Args = p.Template+" {}", append(p.Args, own)
	}
	if m.Series > 1 {
		p.Template, p.Args = p.Template+", {} series", append(p.Args, Count{N: m.Series})
	}
	return p
}

// movedLevel is a level in one window.
func movedLevel(m journal.Movement, l *journal.MovedLevel) Phrase {
	switch {
	case m.Metric == "":
		return words("–")
	case l == nil:
		return words("no samples")
	case m.By == "rate":
		return words("{} per second", Num(l.Value))
	case m.By == "step" && strings.HasSuffix(m.Metric, "_start_time_seconds"):
		return words("{}", TimeOfDay(time.UnixMilli(int64(float64(l.Value)*1000))))
	}
	return words("{}", Num(l.Value))
}

// shamCell holds a movement against that of its metric in the sham run.
func shamCell(m journal.Movement) Phrase {
	switch {
	case m.Sham == nil:
		return words("did not move")
	case m.InNoise:
		return words("rank {}: within the noise", Num(*m.Sham))
	}
	return words("rank {}", Num(*m.Sham))
}

// changeWord is what became of a movement; one that this version does not know is shown as it is.
func changeWord(change string) Value {
	switch change {
	case "moved and returned", "moved and stayed", "moved", "appeared", "vanished":
		return Word(change)
	}
	return Name(change)
}

// allMovements is the part of the appendix that has those which the section about them leaves out.
func (f *facts) allMovements() []Item {
	if f.moved == nil || len(f.moved.p.Findings) <= mostMoved {
		return nil
	}
	return []Item{Heading{ID: "movements", Text: words("What else moved, continued")}, f.movements(f.moved.p.Findings[mostMoved:])}
}

// describeMoved is the event as the timeline shows it.
func describeMoved(m *journal.Moved) Phrase {
	if m.Why != "" {
		return words("what else moved was not computed: {}", Quote(m.Why))
	}
	if len(m.Findings) == 0 {
		return words("{} series were compared, and nothing moved", Count{N: m.Compared})
	}
	return words("{} series were compared; {} {} kept", Count{N: m.Compared}, Count{N: len(m.Findings)}, plural(len(m.Findings), "movement is", "movements are"))
}

// unseen is what could not have been seen, a point each, when something is known of it.
func (f *facts) unseen() Points {
	points := Points{}
	for _, b := range f.blind {
		for _, spot := range b.p.Spots {
			points = append(points, []Sentence{f.blindSentence(b.id, spot)})
		}
	}
	if len(points) == 0 && f.moved != nil && f.moved.p.Why == "" {
		points = append(points, []Sentence{say([]string{f.moved.id}, "No blind spot is in the record.")})
	}
	return points
}

// blindSentence says what could not have been seen, and why.
func (f *facts) blindSentence(id string, b journal.BlindSpot) Sentence {
	ids := cite(id, f.query(b.QueryID))
	stretch := func(what string) Sentence {
		template, args := "{} "+what, []Value{Labels(b.Labels)}
		if b.From == nil || b.To == nil {
			return say(ids, template+".", args...)
		}
		template, args = template+" from {} to {}", append(args, At(*b.From), At(*b.To))
		if b.Gaps > 1 {
			template, args = template+", the longest of {} such times", append(args, Count{N: b.Gaps})
		}
		return say(ids, template+": what it did meanwhile could not have been seen.", args...)
	}
	switch b.What {
	case journal.BlindRange:
		return say(ids, "{} looks back {}, and there is a sample about every {}: a rate of fewer than four is often empty.", Name(b.Name), Dur(b.Reads), Dur(b.Interval))
	case journal.BlindFault:
		if len(b.Labels) > 0 {
			return say(ids, "The fault {} lasts {}, and of {} there is a sample every {}: nothing of it may be among them.", Name(b.Name), Dur(b.Reads), Labels(b.Labels), Dur(b.Interval))
		}
		if q := f.rec.Queries[b.QueryID]; q != nil {
			return say(ids, "The fault {} lasts {}, and {} has a sample every {}: nothing of it may be among them.", Name(b.Name), Dur(b.Reads), Name(q.Name), Dur(b.Interval))
		}
		return say(ids, "The fault {} lasts {}, and there is a sample every {}: nothing of it may be among them.", Name(b.Name), Dur(b.Reads), Dur(b.Interval))
	case journal.BlindRule:
		return say(ids, "The rule {} is evaluated every {}, and the fault that is over soonest lasts {}: it may never see it.", Name(b.Name), Dur(b.Interval), Dur(b.Reads))
	case journal.BlindUnchecked:
		return say(ids, "Whether the ranges that {} reads hold enough samples is not known: {}.", Name(b.Name), Quote(b.Detail))
	case journal.BlindTargets:
		return say(ids, "Whether all targets behind {} answered is not known: {}.", Quote(b.Name), Quote(b.Detail))
	case journal.BlindNeverUp:
		return say(ids, "{} did not answer even once when it was scraped: nothing of it could have been seen.", Labels(b.Labels))
	case journal.BlindDown:
		return stretch("did not answer when it was scraped")
	case journal.BlindGap:
		return stretch("was not scraped")
	}
	if b.Name == "" || b.What == leftOut {
		return say(ids, "Something could not have been seen: {}.", Name(b.What))
	}
	return say(ids, "Something could not have been seen: {} {}.", Name(b.What), Name(b.Name))
}

type jsonMoved struct {
	*journal.Moved
	Evidence []string `json:"evidence"`
}

type jsonBlindSpot struct {
	journal.BlindSpot
	Evidence []string `json:"evidence"`
}

// jsonMoved is what moved and what could not have been seen, for programs.
func (f *facts) jsonMoved() (*jsonMoved, []jsonBlindSpot) {
	var spots []jsonBlindSpot
	for _, b := range f.blind {
		for _, spot := range b.p.Spots {
			spots = append(spots, jsonBlindSpot{spot, cite(b.id, f.query(spot.QueryID))})
		}
	}
	if f.moved == nil {
		return nil, spots
	}
	return &jsonMoved{f.moved.p, []string{f.moved.id}}, spots
}
