package report

import "gameday/runner/journal"

// held lists what was as claimed; what stood behind that is for people to say.
func (f *facts) held() Section {
	s := Section{ID: "held", Version: 1, Title: "What held, and what made it hold", People: true}
	var names List
	var ids []string
	for _, h := range f.hypotheses {
		if h.verdict == journal.Held {
			names, ids = append(names, Name(h.Name)), append(ids, h.rests[0])
		}
	}
	for _, x := range f.claimed() {
		if x.verdict == journal.Held {
			names, ids = append(names, Inner(words("the claim about alert {}", Name(x.name)))), append(ids, x.rests[0])
		}
	}
	if len(names) == 0 {
		s.Items = append(s.Items, Para{say(cite(f.declaredEvidence(), f.last), "Nothing that was claimed is shown to have held.")})
		return s
	}
	s.Items = append(s.Items, Para{say(ids, "What {}: {}. Which mechanisms stood behind that, and which of them were meant to?", Verdict(journal.Held), names)})
	return s
}
