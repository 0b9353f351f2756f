package runner

import (
	"context"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"gameday/runner/journal"
	"gameday/scenarios"
)

// Manual steps are what people do during a run. They are announced at their time and may be confirmed; only those that stand before the
// injection hold anything up.

// lookForConfirmations is how often the people's file is looked at while a step waits.
const lookForConfirmations = 150 * time.Millisecond

// A PlannedStep is a manual step with its time.
type PlannedStep struct {
	Step  *scenarios.Manual
	Start time.Duration // counted from the end of the baseline; of no meaning where the step stands before the injection
}

// manualSteps gives every manual step its time, ordered by it; those before the injection come first.
func manualSteps(sc *scenarios.Scenario, faults []PlannedFault) []PlannedStep {
	var out []PlannedStep
	for _, m := range sc.Manual {
		s := PlannedStep{Step: m, Start: m.Start}
		for _, f := range faults {
			if m.After != nil && f.Fault.Name == m.After.Name {
				s.Start += f.End()
			}
		}
		out = append(out, s)
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.Step.Before != b.Step.Before {
			return a.Step.Before
		}
		return !a.Step.Before && a.Start < b.Start
	})
	return out
}

// Who is the role that a step is for; empty: whoever is there.
func (s PlannedStep) Who() string {
	if s.Step.Who == nil {
		return ""
	}
	return s.Step.Who.Name
}

func declareSteps(steps []PlannedStep) []journal.ManualStep {
	var out []journal.ManualStep
	for _, s := range steps {
		m := s.Step
		out = append(out, journal.ManualStep{Name: m.Name, Instructions: m.Instructions, Who: s.Who(), Before: m.Before, Start: journal.Duration(s.Start),
			Timeout: journal.Duration(m.Timeout), Confirm: m.Confirm, File: filepath.Base(m.Range.File), Line: m.Range.Line})
	}
	return out
}

func declareObservers(sc *scenarios.Scenario) []journal.Observer {
	var out []journal.Observer
	for _, o := range sc.Observers {
		out = append(out, journal.Observer{Name: o.Name, Description: o.Description, Watches: o.Watches, File: filepath.Base(o.Range.File), Line: o.Range.Line})
	}
	return out
}

// A StepState is where a manual step stands.
type StepState string

// The states of a manual step.
const (
	StepPlanned   StepState = "planned"
	StepWaiting   StepState = "waiting"
	StepTold      StepState = "told" // it is due, and asks for no confirmation
	StepConfirmed StepState = "confirmed"
	StepTimedOut  StepState = "timed out"
)

// StepStatus is a manual step for a person who watches.
type StepStatus struct {
	Name, Who, Instructions string
	State                   StepState
	Until                   time.Time // when it is due, or when its timeout is over; zero: not known
}

// A stepLife is that of one manual step.
type stepLife struct {
	plan  PlannedStep
	state StepState
	due   time.Time // zero: not known yet
	begun time.Time
	ends  time.Time     // of its timeout; zero: none
	over  chan struct{} // closed when it is confirmed or timed out
}

// steps are the manual steps of a run.
type steps struct {
	r  *Run
	wg sync.WaitGroup
	mu sync.Mutex
	// all never changes once it is made; the lives in it are under the mutex.
	all []*stepLife
	// unconfirmed gets the name of a step before the injection whose timeout is over.
	unconfirmed chan string
}

func newSteps(r *Run) *steps {
	s := &steps{r: r, unconfirmed: make(chan string, len(r.plan.Steps))}
	for _, p := range r.plan.Steps {
		s.all = append(s.all, &stepLife{plan: p, state: StepPlanned, over: make(chan struct{})})
	}
	return s
}

// status is for a person who watches.
func (s *steps) status() []StepStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []StepStatus
	for _, l := range s.all {
		st := StepStatus{Name: l.plan.Step.Name, Who: l.plan.Who(), Instructions: l.plan.Step.Instructions, State: l.state}
		switch l.state {
		case StepPlanned:
			st.Until = l.due
		case StepWaiting:
			st.Until = l.ends
		}
		out = append(out, st)
	}
	return out
}

// begin lives through the steps that stand before the injection (zero is no time), or through those that are due at times from zero on.
func (s *steps) begin(ctx context.Context, zero time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.all {
		if l.plan.Step.Before != zero.IsZero() {
			continue
		}
		l.due = time.Now()
		if !zero.IsZero() {
			l.due = zero.Add(l.plan.Start)
		}
		s.wg.Go(func() { s.live(ctx, l) })
	}
}

// live announces a step at its time and waits for its timeout. A run that is ended announces nothing more.
func (s *steps) live(ctx context.Context, l *stepLife) {
	step := l.plan.Step
	if !s.wait(ctx, nil, time.Until(l.due)) {
		return
	}
	ev := &journal.StepBegun{Step: step.Name, Who: l.plan.Who(), Instructions: step.Instructions}
	s.mu.Lock()
	l.begun, l.state = time.Now(), StepTold
	if step.Confirm {
		l.state = StepWaiting
		if step.Timeout > 0 {
			l.ends = l.begun.Add(step.Timeout)
			due := plain(l.ends)
			ev.Due = &due
		}
	}
	s.mu.Unlock()
	s.r.write(ev)
	if l.ends.IsZero() || !s.wait(ctx, l.over, step.Timeout) {
		return
	}
	s.mu.Lock()
	late := l.state == StepWaiting
	if late {
		l.state = StepTimedOut
		close(l.over)
	}
	s.mu.Unlock()
	if !late {
		return
	}
	s.r.write(&journal.StepTimedOut{Step: step.Name, Took: journal.Duration(step.Timeout)})
	if step.Before {
		s.unconfirmed <- step.Name
	}
}

// wait says whether it waited to the end: neither the run ended nor what it was for.
func (s *steps) wait(ctx context.Context, over <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil && !s.r.stopped.is()
	case <-over:
	case <-ctx.Done():
	case <-s.r.stopped.ch:
	}
	return false
}

// listen takes confirmations from the people's file until ctx ends.
func (s *steps) listen(ctx context.Context) {
	tick := time.NewTicker(lookForConfirmations)
	defer tick.Stop()
	seen, size := 0, int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		said, now := journal.PeopleSince(s.r.Dir(), size)
		if now == size {
			continue
		}
		size = now
		for _, e := range said {
			if e.Seq <= seen {
				continue
			}
			seen = e.Seq
			if c, ok := e.Payload.(*journal.Confirmation); ok {
				s.confirm(c.Step, e)
			}
		}
	}
}

// confirm ends the waiting for a step.
func (s *steps) confirm(name string, said journal.Event) {
	s.mu.Lock()
	var l *stepLife
	for _, x := range s.all {
		if x.plan.Step.Name == name && x.state == StepWaiting {
			l = x
		}
	}
	if l == nil {
		s.mu.Unlock()
		return
	}
	l.state = StepConfirmed
	took := max(said.Time.Sub(plain(l.begun)), 0)
	close(l.over)
	s.mu.Unlock()
	s.r.write(&journal.StepConfirmed{Step: name, By: said.Role(), Said: said.ID(), At: said.Time, Took: journal.Duration(took)})
}

// watchBaseline lasts as long as the baseline, and until every step that the injection waits for is confirmed. It says why nothing is to be
// injected, or "".
func (s *steps) watchBaseline() string {
	end := time.NewTimer(time.Until(s.r.phaseEnd()))
	defer end.Stop()
	select {
	case <-end.C:
	case name := <-s.unconfirmed:
		return s.refusal(name)
	case <-s.r.stopped.ch:
		return ""
	}
	for _, l := range s.all {
		if !l.plan.Step.Before || !l.plan.Step.Confirm {
			continue
		}
		s.r.mu.Lock()
		s.r.phaseEnds = time.Time{} // nobody knows
		s.r.mu.Unlock()
		select {
		case <-l.over:
		case <-s.r.stopped.ch:
			return ""
		}
	}
	select {
	case name := <-s.unconfirmed:
		return s.refusal(name)
	default:
		return ""
	}
}

// refusal is why nothing is injected when nobody has confirmed a step.
func (s *steps) refusal(name string) string {
	d := journal.Declared{Steps: declareSteps(s.r.plan.Steps)}
	for _, x := range d.Steps {
		if x.Name == name {
			return d.Refusal(&journal.StepTimedOut{Step: name, Took: x.Timeout})
		}
	}
	return ""
}
