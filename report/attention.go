package report

import (
	"time"

	"gameday/runner/journal"
)

// attention is what comes before everything else: faults that may still be in force, and a record that ends too soon.
func (f *facts) attention() (Section, bool) {
	s := Section{ID: "attention", Version: 1}
	if a := f.residueAlarm(); len(a.Sentences) > 0 {
		s.Items = append(s.Items, a)
	}
	if a := f.rejudgedAlarm(); len(a.Sentences) > 0 {
		s.Items = append(s.Items, a)
	}
	if a := f.shamAlarm(); len(a.Sentences) > 0 {
		s.Items = append(s.Items, a)
	}
	if a := f.cutAlarm(); len(a.Sentences) > 0 {
		s.Items = append(s.Items, a)
	}
	return s, len(s.Items) > 0
}

func (f *facts) residueAlarm() Alarm {
	a := Alarm{Title: "A person is needed: not everything was put back", Urgent: true}
	open := f.open()
	for _, x := range open {
		a.Sentences = append(a.Sentences, f.openSentences(x)...)
	}
	r := f.residue
	if r == nil {
		return a
	}
	if len(open) == 0 {
		for _, text := range r.p.Open {
			if f.recovered() {
				break
			}
			a.Sentences = append(a.Sentences, say([]string{r.id}, "Left behind: {}.", Quote(text)))
		}
		for _, command := range r.p.ByHand {
			if f.recovered() || command == leftOut {
				break
			}
			a.Sentences = append(a.Sentences, say([]string{r.id}, "To do it by hand: {}", Command(command)))
		}
	}
	if r.p.Helpers > 0 {
		a.Sentences = append(a.Sentences, say([]string{r.id}, "{} of gameday's own {} could not be removed.", Count{N: r.p.Helpers}, plural(r.p.Helpers, "containers", "containers")))
		a.Sentences = append(a.Sentences, say(cite(r.id, f.started.id), "To see them: {}", Command("docker ps --all --filter "+shellWord("label=gameday="+f.runID()))))
	}
	return a
}

// openSentences say that a fault may still be in force, and what its undo is.
func (f *facts) openSentences(x *fault) []Sentence {
	ids := x.evidence()
	out := []Sentence{say(ids, "Nothing in the record shows that the fault {} ({}) on {} is gone.", Name(x.name), Name(kindName(x.kind)), Name(x.target.Name))}
	if n := len(x.failed); n > 0 {
		last := x.failed[n-1]
		out = append(out, say([]string{last.id}, "The undo at {} failed: {}.", At(last.at), Quote(last.p.Reason)))
		if last.p.ByHand != "" && last.p.ByHand != leftOut {
			return append(out, say([]string{last.id}, "To do it by hand: {}", Command(last.p.ByHand)))
		}
	}
	if x.intent == nil {
		return append(out, say(ids, "The record has lost what its undo is. To try it: {}", Command("gameday recover "+shellWord(f.directory()))))
	}
	if x.intent.p.UndoWords == leftOut {
		return append(out, say(ids, "To undo it: {}", Command("gameday recover "+shellWord(f.directory()))))
	}
	return append(out, say(ids, "Its undo is: {}. To do it: {}", Quote(x.intent.p.UndoWords), Command("gameday recover "+shellWord(f.directory()))))
}

// recovered says that every undo was seen after the residue was summed up.
func (f *facts) recovered() bool {
	if f.residue == nil || len(f.faults) == 0 {
		return false
	}
	return len(f.open()) == 0 && f.lastUndo().After(f.residue.at)
}

func (f *facts) cutAlarm() Alarm {
	a := Alarm{Title: "The record is not whole"}
	if f.ended == nil {
		last := f.index.event(f.last)
		a.Title = "The record ends before the run did"
		a.Sentences = append(a.Sentences, say([]string{last.ID}, "The last event is {} at {}; nothing in the record says how the run ended.", Name(last.Event.Payload.Kind()), At(last.Event.Time)))
		missing := 0
		for _, h := range f.hypotheses {
			if h.judged == nil {
				missing++
			}
		}
		if missing > 0 {
			a.Sentences = append(a.Sentences, say(cite(f.declaredEvidence(), f.last), "Not every hypothesis was judged before that: the ones that were not are shown as far as the record goes."))
		}
	}
	for _, d := range f.rec.Damage {
		a.Sentences = append(a.Sentences, f.damageSentence(d))
	}
	return a
}

func (f *facts) damageSentence(d journal.Damage) Sentence {
	if d.Line > 0 {
		return say([]string{f.last}, "Damaged: {}, line {}: {}.", Name(d.File), Place(d.Line), Prose(d.What))
	}
	return say([]string{f.last}, "Damaged: {}: {}.", Name(d.File), Prose(d.What))
}

// directory is where the run is found by default, for commands that people can type.
func (f *facts) directory() string { return "runs/" + f.rec.Name }

// shellWord makes one shell word of text from the record, without characters that nobody sees.
func shellWord(s string) string { return journal.ShellWord(visible(s)) }

func (f *facts) runID() string {
	if f.started.p.Run != "" {
		return f.started.p.Run
	}
	return f.rec.Name
}

// kindName names a kind of fault, also one that the record lost.
func kindName(kind string) string {
	if kind == "" {
		return "kind not in the record"
	}
	return kind
}

func (f *facts) length() time.Duration { return f.to.Sub(f.from) }
