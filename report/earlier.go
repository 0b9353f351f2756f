package report

import "gameday/runner/journal"

// A changed verdict is one that differs from the last one in which the same claim was decided.
type changed struct {
	name  string
	alert bool // it is the claim about an alert
	then  journal.Verdict
	now   journal.Verdict
	run   *journal.EarlierRun // in which it was as it was then
	rests []string            // evidence of both
}

// lastDecided is the newest earlier run that held or refuted a claim, with its verdict; nil: none is in the record.
func (f *facts) lastDecided(name string, alert bool) (*journal.EarlierRun, *journal.EarlierVerdict) {
	if f.earlier == nil {
		return nil, nil
	}
	for i := range f.earlier.p.Runs {
		run := &f.earlier.p.Runs[i]
		if v := run.Of(name, alert); v != nil && v.Verdict.Decided() {
			return run, v
		}
	}
	return nil, nil
}

// changedVerdicts are the claims that were held and are refuted now, or the other way round: hypotheses first, then alerts.
func (f *facts) changedVerdicts() []changed {
	var out []changed
	add := func(name string, alert bool, now journal.Verdict, rests []string) {
		if run, then := f.lastDecided(name, alert); run != nil && now.Decided() && then.Verdict != now {
			out = append(out, changed{name, alert, then.Verdict, now, run, cite(append([]string{f.earlier.id}, rests...)...)})
		}
	}
	for _, h := range f.hypotheses {
		add(h.Name, false, h.verdict, h.rests)
	}
	for _, x := range f.claimed() {
		add(x.name, true, x.verdict, x.rests)
	}
	return out
}

// openFollowUps are what was agreed on after earlier runs and was open when this one began, the oldest first.
func (f *facts) openFollowUps() []journal.OpenFollowUp {
	if f.earlier == nil {
		return nil
	}
	return f.earlier.p.FollowUps
}

// lastTime says what became of a claim when it was last decided; nothing where no earlier run in the record did.
func (f *facts) lastTime(name string, alert bool) []Sentence {
	run, v := f.lastDecided(name, alert)
	if run == nil {
		return nil
	}
	template, args := "In the run of {}, {}, it was {}", []Value{Date(run.Started), Name(run.Run), Verdict(v.Verdict)}
	if v.Verdict == journal.Held {
		template = "In the run of {}, {}, it {}"
	}
	ids := []string{f.earlier.id}
	if f.started.id != "" && f.started.p.Hash != run.Hash {
		template += "; the scenario's files are not the same as then"
		ids = append(ids, f.started.id)
	}
	return []Sentence{say(ids, template+".", args...)}
}

// runBefore is the previous finished run of the scenario.
func (f *facts) runBefore() Phrase {
	if len(f.earlier.p.Runs) == 0 {
		return words("none among the runs that were there when it began")
	}
	run := f.earlier.p.Runs[0]
	return words("{}, of {}: {}", Name(run.Run), Date(run.Started), outcomeValue(run.Outcome))
}

// describeEarlier says in one phrase what was found of earlier runs.
func describeEarlier(p *journal.EarlierRuns) Phrase {
	return words("{} earlier {} of the scenario and {} open {} were looked up", Count{N: len(p.Runs)}, plural(len(p.Runs), "run", "runs"),
		Count{N: len(p.FollowUps)}, plural(len(p.FollowUps), "follow-up", "follow-ups"))
}
