package report

import "gameday/runner/journal"

// rejudgedAlarm says that the verdicts are not those of the run.
func (f *facts) rejudgedAlarm() Alarm {
	a := Alarm{Title: "Judged anew: these are not the verdicts of the run"}
	r := f.rejudged
	if r == nil {
		return a
	}
	scenario := Inner(words("{}", Name(r.p.File)))
	if isDigest(r.p.Hash) {
		scenario = Inner(words("{}, sha256 {},", Name(r.p.File), Name(short(r.p.Hash))))
	}
	a.Sentences = append(a.Sentences, say([]string{r.id}, "The scenario in {} was held against what this run recorded; its own verdicts are in its own report.", scenario))
	for _, c := range r.p.Changes {
		if c == leftOut {
			n := len(r.p.Changes)
			a.Sentences = append(a.Sentences, say([]string{r.id}, "It differs from the run's own in {} {}.", Count{N: n}, plural(n, "place", "places")))
			break
		}
		a.Sentences = append(a.Sentences, say([]string{r.id}, "Changed: {}.", Quote(c)))
	}
	for _, n := range r.p.Notes {
		if n == leftOut {
			continue
		}
		a.Sentences = append(a.Sentences, say([]string{r.id}, "Worth knowing: {}.", Quote(n)))
	}
	return a
}

// rejudgedMoment is how the mark stands in the timeline.
func rejudgedMoment(p *journal.Rejudged) Phrase {
	return words("the record was judged anew by {}", Name(p.File))
}
