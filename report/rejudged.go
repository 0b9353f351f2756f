package report

import "gameday/runner/journal"

// rejudgedAlarm says that the verdicts are not those of the run.
func (f *facts) rejudgedAlarm() Alarm {
	a := Alarm{Title: "Judged anew: these are not the verdicts of the run"}
	r := f.rejudged
	if r == nil {
		return a
	}
	a.Sentences = append(a.Sentences, say([]string{r.id}, "The scenario in {}, sha256 {}, was held against what this run recorded; its own verdicts are in its own report.", Name(r.p.File), Name(short(r.p.Hash))))
	for _, c := range r.p.Changes {
		a.Sentences = append(a.Sentences, say([]string{r.id}, "Changed: {}.", Quote(c)))
	}
	for _, n := range r.p.Notes {
		a.Sentences = append(a.Sentences, say([]string{r.id}, "Worth knowing: {}.", Quote(n)))
	}
	return a
}

// rejudgedMoment is how the mark stands in the timeline.
func rejudgedMoment(p *journal.Rejudged) Phrase {
	return words("the record was judged anew by {}", Name(p.File))
}
