package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"time"
)

var _ = register[EarlierRuns]()

// EarlierRuns is what the runs directory held of earlier runs when this one began. It is written before the baseline, so that a
// report can tell what has changed since without looking at anything but its own run.
type EarlierRuns struct {
	// Runs are finished runs of the same scenario, sham runs left out, the newest first: as many as it takes to find the last time
	// that each claim of this run was decided, and the previous one in any case.
	Runs []EarlierRun `json:"runs,omitempty"`
	// FollowUps are what people agreed on after earlier runs, of any scenario, and have not done yet; the oldest first.
	FollowUps []OpenFollowUp `json:"follow_ups,omitempty"`
	Unread    []Unread       `json:"unread,omitempty"` // what could not be read, and why
}

// Kind returns "runs.earlier".
func (*EarlierRuns) Kind() string { return "runs.earlier" }

// An EarlierRun is how a run of the same scenario ended.
type EarlierRun struct {
	Run      string           `json:"run"`
	Started  time.Time        `json:"started"`
	Outcome  Outcome          `json:"outcome"`
	Hash     string           `json:"hash"` // of the scenario's files, as in RunStarted
	Verdicts []EarlierVerdict `json:"verdicts,omitempty"`
}

// An EarlierVerdict is that on one hypothesis or alert.
type EarlierVerdict struct {
	Name    string  `json:"name"`
	Alert   bool    `json:"alert,omitempty"` // it is an alert
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"` // a Reason or an AlertReason
}

// Of is the verdict on a hypothesis or an alert; nil if the run had none of that name.
func (r *EarlierRun) Of(name string, alert bool) *EarlierVerdict {
	for i := range r.Verdicts {
		if v := &r.Verdicts[i]; v.Name == name && v.Alert == alert {
			return v
		}
	}
	return nil
}

// Decided says whether it is known that a claim holds, or that it does not.
func (v Verdict) Decided() bool { return v == Held || v == Refuted }

// An OpenFollowUp is a row of the table of follow-ups in the draft of an earlier run, verbatim.
type OpenFollowUp struct {
	Run      string    `json:"run"`
	Scenario string    `json:"scenario"`
	Started  time.Time `json:"started"` // of that run: its age counts from there
	Line     int       `json:"line"`    // in that run's report.md
	Action   string    `json:"action"`
	Owner    string    `json:"owner,omitempty"`
	Due      string    `json:"due,omitempty"`
	Done     string    `json:"done_when,omitempty"`
	Ticket   string    `json:"ticket,omitempty"`
	Decision string    `json:"decision,omitempty"`
	Proof    string    `json:"proof,omitempty"` // the scenario that has to hold
}

// Unread is something of an earlier run that could not be read.
type Unread struct {
	Run  string `json:"run"`
	File string `json:"file"`
	Why  string `json:"why"`
}

// Summary is how a finished run is told in the record of a later one; nil if the run has not ended, or is a sham run, which tests
// nothing.
func (r *Record) Summary() *EarlierRun {
	ended, started := r.Ended(), r.Started()
	if ended == nil || started.Sham {
		return nil
	}
	out := &EarlierRun{Run: r.Name, Started: r.Events[0].Time, Outcome: ended.Outcome, Hash: started.Hash}
	add := func(v EarlierVerdict) {
		if old := out.Of(v.Name, v.Alert); old != nil {
			*old = v
		} else {
			out.Verdicts = append(out.Verdicts, v)
		}
	}
	for _, e := range r.Events {
		switch p := e.Payload.(type) {
		case *HypothesisJudged:
			add(EarlierVerdict{Name: p.Hypothesis, Verdict: p.Verdict, Reason: string(p.Reason)})
		case *AlertJudged:
			add(EarlierVerdict{Name: p.Alert, Alert: true, Verdict: p.Verdict, Reason: string(p.Reason)})
		}
	}
	return out
}

// RunsOf lists the run directories below root whose ids name a scenario, the newest first.
func RunsOf(root, scenario string) ([]string, error) {
	dirs, err := Runs(root)
	if err != nil {
		return nil, err
	}
	dirs = slices.DeleteFunc(dirs, func(dir string) bool {
		_, of, _ := ParseID(filepath.Base(dir))
		return of != scenario
	})
	slices.Reverse(dirs)
	return dirs, nil
}

// tail is how much of the end of a journal is looked at: the end of a run is its last line, or a line before those of a recovery.
const tail = 16 << 10

// MayBeDecided says quickly whether a run may decide whether its scenario holds, so that not every journal of many has to be read: it
// has ended, and neither as inconclusive nor as not injected.
func MayBeDecided(dir string) bool {
	return slices.ContainsFunc([]string{FileName, GuardFile}, func(name string) bool { return endedDecided(filepath.Join(dir, name)) })
}

func endedDecided(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false
	}
	b := make([]byte, min(tail, info.Size()))
	if _, err := f.ReadAt(b, info.Size()-int64(len(b))); err != nil {
		return false
	}
	for _, o := range []Outcome{OutcomeHeld, OutcomeRefuted, OutcomeAborted, OutcomeResidue, OutcomeInterrupted, OutcomeError} {
		if bytes.Contains(b, []byte(`"outcome":"`+string(o)+`"`)) {
			return true
		}
	}
	return false
}
