package runner

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"gameday/inject"
	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// A Run is one rehearsal of one scenario. It is used once.
type Run struct {
	setup   Setup
	plan    *Plan
	id      string
	observe func(journal.Event)

	journal *journal.Writer
	// recording puts events in one order, for the journal and for the observer alike.
	recording sync.Mutex
	recorded  bool // the record has begun and has not ended: nothing else may be written
	announced bool // why the run is ended stands in the record
	audience  *audience
	undoLimit func(inject.Undo) time.Duration

	lock    lease
	guard   atomic.Pointer[guardLink] // nil: there is none
	source  metrics.Source
	watcher *watcher
	sampler *sampler
	// collector is nil where the source is a server.
	collector  *collector
	refreshing sync.Mutex  // of the endpoints
	alerts     *alertWatch // nil: there are neither rules nor claims about alerts
	steps      *steps
	stopped    *stop
	// predictionsUsed says that no later run is to take up what this one has taken up.
	predictionsUsed func() error

	mu         sync.Mutex
	phase      journal.Phase
	phaseEnds  time.Time
	start      time.Time
	faultStart time.Time
	lastUndo   time.Time
	gateFailed []string // names of what the baseline did not satisfy
	notDone    string   // why a fault was not injected
	// unconfirmed is the step that nobody confirmed in time, so that nothing was injected.
	unconfirmed string
	endedEarly  string
	hitNothing  string
	open        map[string]openUndo // by fault and container
	intents     int
	samples     map[string][]journal.Sample
	live        map[string]*liveQuery
	faults      map[string]*FaultStatus
	faultOrder  []string
	recordErr   error
	deeds       deeds
}

type openUndo struct{ what, byHand string }

// NewRun prepares a run of a plan that was made for the same id. observe, which may be nil, is called for every event that is
// written down, in order. The run does not wait for it.
func NewRun(s Setup, p *Plan, id string, observe func(journal.Event)) *Run {
	if observe == nil {
		observe = func(journal.Event) {}
	}
	r := &Run{setup: s, plan: p, id: id, observe: observe, stopped: newStop(), undoLimit: inject.UndoLimit, open: map[string]openUndo{},
		samples: map[string][]journal.Sample{}, live: map[string]*liveQuery{}, faults: map[string]*FaultStatus{}}
	r.steps = newSteps(r)
	for _, q := range p.Queries {
		r.live[q.ID] = &liveQuery{state: journal.Waiting}
	}
	for _, f := range p.injected() {
		for _, st := range f.Steps {
			k := stepKey(f, st)
			r.faultOrder = append(r.faultOrder, k)
			r.faults[k] = &FaultStatus{Name: f.Fault.Name, Kind: f.Fault.Kind, Container: st.Container.Name, State: FaultPlanned}
		}
	}
	return r
}

func stepKey(f PlannedFault, st inject.Step) string { return f.Fault.Name + "/" + st.Container.ID }

// Dir is the run directory.
func (r *Run) Dir() string { return filepath.Join(r.setup.Runs, r.id) }

// Stop ends the run: everything is undone at once. The first reason counts; but once the guard has taken over, that is it, whatever
// a runner that hung and wakes hears of first.
func (r *Run) Stop(why journal.UndoWhy, detail string) {
	if taken := r.guard.Load().takenOver(); taken != "" {
		why, detail = journal.UndoGuard, taken
	}
	if r.stopped.now(why, detail) {
		r.announceStop()
	}
}

// A Result is how a run ended.
type Result struct {
	Run     string
	Dir     string
	Outcome journal.Outcome
	Exit    int
	Detail  string // why, where the outcome alone does not say it
	// Unsteady says that nothing was injected because the baseline did not hold.
	Unsteady bool
}

// Execute rehearses. When ctx ends everything is undone, as with Stop. An error means that the run could not begin, and then
// nothing was done, or that the record could not be written to its end.
func (r *Run) Execute(ctx context.Context) (Result, error) {
	res := Result{Run: r.id, Dir: r.Dir()}
	if err := r.plan.Guard.Refused(); err != nil {
		return res, err
	}
	abs, err := filepath.Abs(r.Dir())
	if err != nil {
		return res, err
	}
	r.start = time.Now()
	r.journal, err = journal.Create(r.setup.Runs, r.id, r.start)
	if err != nil {
		return res, err
	}
	spec, err := r.lockSpec(abs)
	if err == nil {
		r.lock, err = lock(ctx, r.setup, spec)
	}
	if err != nil {
		r.journal.Close()
		os.RemoveAll(r.Dir()) // nothing is in it: the run did not begin
		return res, err
	}
	r.audience = newAudience(r.observe)
	stopFollowing := context.AfterFunc(ctx, func() { r.Stop(journal.UndoInterrupted, context.Cause(ctx).Error()) })
	defer stopFollowing()

	outcome, detail := r.rehearse()
	residue := r.residue()
	if residue.Left() {
		outcome = journal.OutcomeResidue
	} else if err := r.firstError(); err != nil && WorseExit(ExitCode(outcome), ExitError) == ExitError {
		// A record with a hole in it is no ground for a verdict.
		outcome, detail = journal.OutcomeError, err.Error()
	}
	r.write(&residue)
	r.write(&journal.RunEnded{Outcome: outcome, ExitCode: ExitCode(outcome), Detail: detail})
	res.Outcome, res.Exit, res.Detail, res.Unsteady = outcome, ExitCode(outcome), detail, outcome == journal.OutcomeNotInjected && len(r.gateFailed) > 0

	r.guard.Load().letGo()
	if len(residue.Open) == 0 {
		// A lock over open undos stays: it keeps the next run from starting over them, and if it is a guard it goes on trying.
		end, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		err = r.lock.release(end)
	}
	r.guard.Load().close()
	err = errors.Join(err, r.closeRecord(), r.firstError())
	r.audience.leave()
	return res, err
}

// untilStopped returns a context that also ends when the run is to end.
func (r *Run) untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-r.stopped.ch:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// rehearse is the run from its first event to its verdicts. Whatever it meets, no fault is in force when it returns, or it
// stands in the residue.
func (r *Run) rehearse() (outcome journal.Outcome, detail string) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer r.endNumbers()
	defer wg.Wait()
	defer cancel()
	// The source is asked first, so that the record begins with what it is; that changes nothing. Its failure is recorded.
	noNumbers := r.beginNumbers(ctx)
	err := errors.Join(r.declare(), noNumbers)
	if err == nil {
		err = r.beginWatching(ctx, &wg)
	}
	if err == nil {
		r.beginCollecting(ctx, &wg)
		err = r.beginGuard(ctx)
	}
	if why, detail := r.stopped.why(); why == journal.UndoInterrupted {
		return journal.OutcomeInterrupted, detail
	}
	if err != nil {
		return journal.OutcomeError, err.Error()
	}
	if !r.plan.Sham {
		r.warmUp(ctx, &wg)
	}
	r.awaitFirstScrape(ctx)
	r.beginSampling(ctx, &wg)

	first, _ := span(r.plan.Faults)
	zero := plain(r.start)
	r.enter(journal.PhaseStarted{Phase: journal.Baseline, Zero: &zero}, r.start.Add(r.plan.Scenario.Baseline+first))
	if len(r.plan.Steps) > 0 {
		wg.Go(func() { r.steps.listen(ctx) })
		r.steps.begin(ctx, time.Time{})
	}
	unconfirmed := r.steps.watchBaseline()
	r.settleSamples(time.Now())
	passed := false
	if !r.stopped.is() {
		passed = r.judgeBaseline()
	}
	if unconfirmed != "" {
		passed = false
		r.mu.Lock()
		r.unconfirmed, r.notDone = unconfirmed, unconfirmed
		r.mu.Unlock()
	}
	if passed && r.awaitGuard() && r.seal() == nil {
		if r.plan.Sham {
			r.pretend(ctx)
		} else {
			r.injectAll(ctx)
		}
		if why, _ := r.stopped.why(); why == "" || why == journal.UndoGuardrail {
			r.enter(journal.PhaseStarted{Phase: journal.Recovery}, time.Now().Add(r.plan.Scenario.Recovery))
			r.stopped.linger(time.Until(r.phaseEnd()))
		}
	}
	// Nothing is asked any more, and what was asked has its answer, before verdicts are made of it. How long that took is no
	// part of the recovery.
	end := time.Now()
	cancel()
	wg.Wait()
	r.steps.wg.Wait()
	if r.sampler != nil {
		r.sampler.wg.Wait()
	}
	r.guard.Load().watch() // one that has hung may come here before it has looked
	outcome, detail = r.verdicts(passed, end)
	r.lookBack(end)
	return outcome, detail
}

func (r *Run) judgeBaseline() bool {
	r.mu.Lock()
	h := r.history()
	h.FaultStart = time.Now()
	r.mu.Unlock()
	judged, u := gate(r.plan.Queries, h)
	if r.sampler != nil {
		r.sampler.setUsual(u)
	}
	r.mu.Lock()
	for id, q := range r.live {
		q.usual = u[id]
	}
	for _, f := range judged.Failures {
		r.gateFailed = append(r.gateFailed, f.Name)
	}
	r.mu.Unlock()
	return r.write(&judged) == nil && judged.Passed
}

// verdicts judges and says how the run ended.
func (r *Run) verdicts(passed bool, end time.Time) (journal.Outcome, string) {
	r.mu.Lock()
	h := r.history()
	h.End = end
	why, detail := r.stopped.why()
	h.Stopped = why != ""
	notDone := r.notDone
	r.mu.Unlock()

	worst := journal.Held
	for _, q := range r.plan.Queries {
		if q.Hypothesis != nil {
			v := judge(q, h)
			if v.Verdict == journal.NotTested && v.Reason == journal.ReasonNotInjected {
				v.Detail = notDone
			}
			if rank[v.Verdict] > rank[worst] {
				worst = v.Verdict
			}
			r.write(v)
			continue
		}
		l := r.live[q.ID]
		r.write(judgeGuardrail(q, h, l.tripped, l.blind))
	}
	if v := r.judgeAlerts(h, notDone); rank[v] > rank[worst] {
		worst = v
	}
	claims := len(r.plan.Scenario.Hypotheses) + len(r.plan.Scenario.Alerts)
	return ending{notDone: notDone, why: why, detail: detail, passed: passed, gateFailed: r.gateFailed}.outcome(h, worst, claims)
}

// An ending is what, besides the verdicts, decides how a run ended.
type ending struct {
	notDone    string          // why a fault was not injected
	why        journal.UndoWhy // why the run was ended before its time; empty: it was not
	detail     string
	passed     bool     // the baseline held
	gateFailed []string // names of what it did not satisfy
}

// outcome is that of a run with so many hypotheses and alerts, whose worst verdict is known.
func (e ending) outcome(h History, worst journal.Verdict, claims int) (journal.Outcome, string) {
	switch {
	case e.why == journal.UndoGuard:
		return journal.OutcomeInterrupted, e.detail // also where that is why a fault was not injected
	case e.notDone != "":
		return journal.OutcomeNotInjected, e.notDone
	case e.why == journal.UndoInterrupted:
		return journal.OutcomeInterrupted, e.detail
	case e.why == journal.UndoGuardrail:
		return journal.OutcomeAborted, e.detail
	case e.why != "":
		return journal.OutcomeError, e.detail
	case !e.passed:
		return journal.OutcomeNotInjected, "the baseline did not hold: " + join(e.gateFailed)
	case h.Sham:
		return journal.OutcomeNotInjected, ShamDetail
	}
	if claims == 0 {
		return journal.OutcomeInconclusive, NoHypothesis
	}
	switch worst {
	case journal.Held:
		if why := cmp.Or(h.EndedEarly, h.HitNothing); why != "" {
			return journal.OutcomeInconclusive, why
		}
		return journal.OutcomeHeld, ""
	case journal.Refuted:
		return journal.OutcomeRefuted, ""
	default:
		return journal.OutcomeInconclusive, ""
	}
}

// history is what is known by now. The caller holds the mutex.
func (r *Run) history() History {
	h := History{Start: plain(r.start), FaultStart: plain(r.faultStart), LastUndo: plain(r.lastUndo), Deeds: r.deeds, Injected: r.notDone == "" && !r.faultStart.IsZero(),
		Sham: r.plan.Sham, Unconfirmed: r.unconfirmed, NoRecovery: r.plan.Scenario.Recovery == 0, EndedEarly: r.endedEarly, HitNothing: r.hitNothing, Usual: map[string]usual{}, Samples: map[string][]journal.Sample{}}
	for id, s := range r.samples {
		h.Samples[id] = sorted(s)
	}
	for id, l := range r.live {
		h.Usual[id] = l.usual
	}
	return h
}

func (r *Run) currentPhase() journal.Phase {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.phase
}

func (r *Run) phaseEnd() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.phaseEnds
}

func (r *Run) enter(p journal.PhaseStarted, ends time.Time) {
	r.mu.Lock()
	r.phase, r.phaseEnds = p.Phase, ends
	r.mu.Unlock()
	r.write(&p)
}
