package runner

import (
	"path/filepath"
	"slices"

	"gameday/runner/journal"
	"gameday/scenarios"
)

// mostEarlier is how many earlier runs are read at the most, so that a run begins as soon with hundreds of them as with none.
const mostEarlier = 20

// earlier is what earlier runs of a scenario came to, before the run of that id. What cannot be read of them is noted, and never
// stands in the way of a new one.
func earlier(s Setup, sc *scenarios.Scenario, id string) *journal.EarlierRuns {
	out := &journal.EarlierRuns{FollowUps: s.FollowUps, Unread: slices.Clone(s.Unread)}
	dirs, err := journal.RunsOf(s.Runs, sc.Name)
	if err != nil {
		out.Unread = append(out.Unread, journal.Unread{Why: err.Error()})
		return out
	}
	dirs = slices.DeleteFunc(dirs, func(dir string) bool { return filepath.Base(dir) >= id })
	undecided := map[journal.EarlierVerdict]bool{}
	for _, h := range sc.Hypotheses {
		undecided[journal.EarlierVerdict{Name: h.Name}] = true
	}
	for _, a := range sc.Alerts {
		undecided[journal.EarlierVerdict{Name: a.Name, Alert: true}] = true
	}
	for i, dir := range dirs {
		if i == mostEarlier || len(out.Runs) > 0 && len(undecided) == 0 {
			break
		}
		rec, err := journal.ReadEvents(dir)
		if err != nil {
			out.Unread = append(out.Unread, journal.Unread{Run: filepath.Base(dir), File: journal.FileName, Why: err.Error()})
			continue
		}
		run := rec.Summary()
		if run == nil || rec.Started().Scenario != sc.Name {
			continue
		}
		news := len(out.Runs) == 0
		for _, v := range run.Verdicts {
			claim := journal.EarlierVerdict{Name: v.Name, Alert: v.Alert}
			if v.Verdict.Decided() && undecided[claim] {
				delete(undecided, claim)
				news = true
			}
		}
		if news {
			out.Runs = append(out.Runs, *run)
		}
	}
	return out
}
