package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/runner/journal"
)

const (
	// prepareLead is how long before its time a fault is fitted to its container once more and written down.
	prepareLead = 500 * time.Millisecond
	// prepareTime is how much later the faults begin than the baseline ends, so that the first one too can be prepared.
	prepareTime = 100 * time.Millisecond
	// prepareLimit is how long the look at a container before that may take.
	prepareLimit = 15 * time.Second
	// verifyLimit is how long an effect may take to be seen from outside.
	verifyLimit = 15 * time.Second
	// holdCheck is how often a fault in force is looked at when the engine tells of nothing.
	holdCheck = time.Second
	// lastLook is how long before its end it is looked at once more, so that the undo need not wait for that.
	lastLook = 200 * time.Millisecond
	// peerCheck is at every how many of these looks its peers are looked for, too.
	peerCheck = 5
)

// injectAll lives through all faults of the plan and returns when the last one is undone.
func (r *Run) injectAll(ctx context.Context) {
	first, last := span(r.plan.Faults)
	base := time.Now().Add(prepareTime).Add(-first)
	r.steps.begin(ctx, base)
	r.mu.Lock()
	r.phaseEnds = base.Add(last)
	r.mu.Unlock()
	var begin sync.Once
	begun := func() {
		begin.Do(func() {
			r.mu.Lock()
			r.faultStart = time.Now()
			r.mu.Unlock()
			zero := base.UTC().Round(0)
			r.enter(journal.PhaseStarted{Phase: journal.Fault, Zero: &zero}, base.Add(last))
		})
	}
	var wg sync.WaitGroup
	var all []*life
	for _, f := range r.plan.Faults {
		for _, step := range f.Steps {
			l := &life{r: r, fault: f, step: step, due: base.Add(f.Start), begun: begun, over: make(chan struct{})}
			for _, e := range all {
				over := inject.Conflict(e.step, step)
				if e.fault.Fault == f.Fault {
					over = "" // of one fault on many containers none waits for another
				}
				switch {
				case e.step.Container.ID != step.Container.ID && over == "":
				case f.follows(e.fault) || over != "":
					l.before = append(l.before, e.over)
				default:
					l.beside = append(l.beside, e.over)
				}
			}
			all = append(all, l)
		}
	}
	// Only now: a life fits its step anew, and the others were compared with it.
	for _, l := range all {
		wg.Go(func() {
			defer close(l.over)
			l.live(ctx)
		})
	}
	wg.Wait()
	r.mu.Lock()
	r.lastUndo = time.Now()
	r.mu.Unlock()
}

// A life is that of one fault on one container: intent, injected, verified, undone, verified gone.
type life struct {
	r     *Run
	fault PlannedFault
	step  inject.Step
	kind  inject.Kind
	due   time.Time
	begun func()        // called right before the first injection of the run
	over  chan struct{} // closed at its end
	// before are the ends of the faults on the same container that are planned before this one, and that it comes after or would
	// fight with; beside are those of the others.
	before, beside []<-chan struct{}
	touched        bool          // something was done to the target, or may have been, in whatever life of it
	gap            time.Duration // for how long it was not in force, because its target was restarted
}

func (l *life) ref() journal.Ref {
	return journal.Ref{ID: l.step.Container.ID, Name: l.step.Container.Name}
}

func (l *life) name() string { return l.fault.Fault.Name }

func (l *life) show(s FaultState, until time.Time) {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	st := l.r.faults[stepKey(l.fault, l.step)]
	st.State, st.Until = s, until
}

func (l *life) live(ctx context.Context) {
	l.show(FaultPlanned, l.due)
	l.kind, _ = inject.Lookup(l.fault.Fault.Kind)
	if !l.r.stopped.sleep(time.Until(l.due)-prepareLead) || !l.alone() || !l.awake(ctx) {
		return
	}
	if err := l.prepare(ctx); err != nil {
		l.failed(err)
		return
	}
	// From here on there is an undo in the journal, and it is carried out whatever happens.
	why := journal.UndoDue
	if l.kind.Doc().Ahead && !l.r.stopped.is() || l.r.stopped.sleep(time.Until(l.due)) {
		l.postpone(time.Now())
		err := l.inject(ctx)
		switch {
		case err == nil:
			why = l.hold(ctx)
		case l.touched || !l.r.stopped.is():
			l.failed(err)
			why = journal.UndoError
		}
	}
	if stop, _ := l.r.stopped.why(); stop != "" {
		why = stop
	}
	if !l.touched {
		// An undo of what was never done could undo what somebody else did.
		l.show(FaultUndone, time.Time{})
		l.close(inject.Proof{Seen: "nothing was done to it", At: time.Now()}, 0)
		return
	}
	l.undo(why)
}

// alone waits until the faults before this one are undone, however long that takes, and says whether the run still goes on: what
// another fault does must not be taken for the container's own state.
func (l *life) alone() bool {
	for _, over := range l.before {
		select {
		case <-over:
		case <-l.r.stopped.ch:
		}
	}
	return !l.r.stopped.is()
}

// awake waits while the container is down by the doing of a fault beside this one, such as a crash whose restart policy is about
// to act, and says whether the run still goes on.
func (l *life) awake(ctx context.Context) bool {
	under := func(over <-chan struct{}) bool {
		select {
		case <-over:
			return false
		default:
			return true
		}
	}
	ctx, cancel := l.r.untilStopped(ctx)
	defer cancel()
	for slices.ContainsFunc(l.beside, under) {
		c, err := l.r.setup.Engine.Container(ctx, l.step.Container.ID)
		if err != nil || c.State.Running && !c.State.Restarting || !l.r.stopped.sleep(50*time.Millisecond) {
			break
		}
	}
	return !l.r.stopped.is()
}

// declared is the fault as it can be injected now: a restart may have given its peers other addresses.
func (l *life) declared(ctx context.Context) (inject.Fault, error) {
	now := surroundings{
		chosen: func(target string) ([]engine.Container, error) {
			var out []engine.Container
			for _, c := range l.r.plan.target(target).Chosen {
				peer, err := l.r.setup.Engine.Container(ctx, c.ID)
				switch {
				case err != nil:
					return nil, fmt.Errorf("its peer %s cannot be looked at: %w", c.Name, err)
				case !peer.State.Running || peer.State.Restarting:
					peer = c // it has no address now, and most often gets its old one again
				}
				out = append(out, peer)
			}
			return out, nil
		},
		find: func(id string) (engine.Container, error) { return l.r.setup.Engine.Container(ctx, id) },
	}
	peers, _, err := now.peers(l.fault.Fault, l.step.Container)
	return declared(l.r.id, l.fault.Fault, peers), err
}

// peers are the ids of the containers that the fault names as its peers.
func (l *life) peers() (ids []string) {
	for _, p := range l.fault.Fault.Peers() {
		if p.Target == nil {
			continue
		}
		for _, c := range l.r.plan.target(p.Target.Name).Chosen {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// moved says in words which peer is no longer where the fault in force looks for it; empty: none is known to be.
func (l *life) moved(ctx context.Context) string {
	now, err := l.declared(ctx)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return err.Error()
	case err != nil:
		return "" // a peer between two lives; it is looked at again
	}
	was, _ := l.step.Fault.Args["peers"].([]inject.Peer)
	return stray(was, now.Args["peers"])
}

// postpone moves a fault that could not begin, or was not in force, at its time: its duration counts from when it was.
func (l *life) postpone(to time.Time) {
	if to.After(l.due) {
		l.due = to
	}
	end := l.due.Add(l.fault.Fault.Duration)
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	if end.After(l.r.phaseEnds) {
		l.r.phaseEnds = end
	}
}

// prepare fits the fault to the container as it is now, and writes down the intent with its undo.
func (l *life) prepare(ctx context.Context) error {
	ctx, cancel := l.r.untilStopped(ctx)
	defer cancel()
	ctx, cancelLimit := context.WithTimeout(ctx, prepareLimit)
	defer cancelLimit()
	c := l.step.Container
	fault, err := l.declared(ctx)
	if err != nil {
		return err
	}
	step, err := inject.Prepare(ctx, l.r.setup.Tools, fault, c.ID, l.r.plan.host)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	undo, err := json.Marshal(step.Undo)
	if err != nil {
		return err
	}
	l.step = step
	k := stepKey(l.fault, step)
	l.r.mu.Lock()
	l.r.intents++
	l.r.open[k] = openUndo{fmt.Sprintf("fault.%s on %s was not seen to be gone", l.name(), c.Name), inject.ByHand(step.Undo)}
	l.r.mu.Unlock()
	err = l.r.commit(&journal.FaultIntent{Fault: l.name(), FaultKind: l.fault.Fault.Kind, Container: l.ref(), Does: step.Does,
		UndoWords: step.UndoWords, Undo: undo, Planned: journal.Duration(l.fault.Start)})
	if err != nil && !errors.Is(err, journal.ErrReserve) {
		// The intent is not on the disk and nothing was done.
		l.r.mu.Lock()
		l.r.intents--
		delete(l.r.open, k)
		l.r.mu.Unlock()
		return err
	}
	return nil
}

// inject does it and waits until it is seen. A target that is restarted meanwhile, perhaps by a fault beside this one, is
// followed. The end of the run cancels it.
func (l *life) inject(ctx context.Context) error {
	ctx, cancel := l.r.untilStopped(ctx)
	defer cancel()
	l.show(FaultInjecting, l.due)
	done := l.r.watcher.acting(l.step.Container.ID)
	defer done()
	if err := l.r.guard.Load().permit(ctx); err != nil {
		return fmt.Errorf("%w: %w", inject.ErrUntouched, err)
	}
	if l.kind.Doc().Ahead {
		// The call is made now, and takes effect at its time.
		timely := time.AfterFunc(time.Until(l.due), l.begun)
		defer timely.Stop()
	} else {
		l.begun()
	}
	injected := false
	proof, err := l.attempt(ctx, &injected)
	for limit := time.Now().Add(verifyLimit); err != nil && l.kind.Doc().Follows && l.reborn(ctx, limit); {
		if err = errors.Join(l.refit(ctx), l.r.guard.Load().permit(ctx)); err != nil {
			l.r.stopped.sleep(50 * time.Millisecond) // it may be about to end again
			continue
		}
		proof, err = l.attempt(ctx, &injected)
	}
	if err != nil {
		return err
	}
	l.step.Undo.EffectSeen = true
	l.r.write(&journal.FaultVerified{Fault: l.name(), Container: l.ref(), Seen: proof.Seen, Effect: proof.At.UTC()})
	// A stop takes its grace time until it is in force: the duration is that of the effect.
	l.postpone(proof.At)
	return nil
}

// attempt injects once, in the life that the step is planned for, and waits until the effect is seen or that life ends. That it
// was injected is written down the first time.
func (l *life) attempt(ctx context.Context, injected *bool) (proof inject.Proof, err error) {
	if l.kind.Doc().Follows {
		var cancel context.CancelFunc
		ctx, cancel = l.whileItLives(ctx)
		defer cancel()
		defer func() {
			if err != nil && errors.Is(context.Cause(ctx), errLifeEnded) {
				err = fmt.Errorf("%s %w: %w", l.step.Container.Name, errLifeEnded, err)
			}
		}()
	}
	if l.kind.Doc().Ahead && time.Until(l.due) > 0 {
		l.step.At = l.due
	}
	called := time.Now()
	err = l.kind.Inject(ctx, l.r.setup.Tools, l.step)
	l.touched = l.touched || !errors.Is(err, inject.ErrUntouched)
	if err != nil {
		return inject.Proof{}, err
	}
	l.begun()
	if called.Before(l.step.At) {
		called = l.step.At
	}
	if !*injected {
		l.r.write(&journal.FaultInjected{Fault: l.name(), Container: l.ref(), Called: called.UTC(), Took: journal.Duration(time.Since(called))})
	}
	*injected = true
	verify, cancel := context.WithTimeout(ctx, verifyLimit)
	defer cancel()
	return l.kind.Verify(verify, l.r.setup.Tools, l.step)
}

var errLifeEnded = errors.New("ended or was restarted meanwhile")

// whileItLives ends a context when the life of the container ends that the step is planned for.
func (l *life) whileItLives(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	hint, unsubscribe := l.r.watcher.subscribe(l.step.Container.ID)
	born := l.step.Container.State.StartedAt
	go func() {
		defer unsubscribe()
		check := time.NewTicker(holdCheck)
		defer check.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-hint:
			case <-check.C:
			}
			c, err := l.r.setup.Engine.Container(ctx, l.step.Container.ID)
			if err == nil && !(c.State.Running && c.State.StartedAt.Equal(born)) || errors.Is(err, engine.ErrNotFound) {
				cancel(errLifeEnded)
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// failed ends the run: a fault that was not seen to take effect tests nothing. When the run is ending anyway, that is the reason.
func (l *life) failed(err error) {
	l.show(FaultFailed, time.Time{})
	reason := err.Error()
	l.r.write(&journal.FaultNotInjected{Fault: l.name(), Container: l.ref(), Reason: reason})
	if l.r.stopped.is() {
		return
	}
	l.r.mu.Lock()
	if l.r.notDone == "" {
		l.r.notDone = fmt.Sprintf("fault.%s on %s: %s", l.name(), l.step.Container.Name, reason)
	}
	l.r.mu.Unlock()
	l.r.Stop(journal.UndoError, fmt.Sprintf("fault.%s was not injected", l.name()))
}

// hold waits until the fault is over and says why. A fault without a duration is left to the restart policy, for as long as the
// scenario gives the system to recover.
func (l *life) hold(ctx context.Context) journal.UndoWhy {
	end := l.due.Add(l.fault.Fault.Duration)
	left := l.fault.Fault.Duration == 0
	if left {
		end = time.Now().Add(l.r.plan.Scenario.Recovery)
		l.r.mu.Lock()
		if l.r.phaseEnds.Before(end) {
			l.r.phaseEnds = end
		}
		l.r.mu.Unlock()
	}
	l.show(FaultInForce, end)
	hint, cancel := l.r.watcher.subscribe(l.step.Container.ID)
	defer cancel()
	timer := time.NewTimer(time.Until(end))
	defer timer.Stop()
	check := time.NewTicker(holdCheck)
	defer check.Stop()
	closing := time.NewTimer(time.Until(end.Add(-lastLook)))
	defer closing.Stop()
	peers := l.peers()
	moved, cancelMoved := l.r.watcher.subscribe(peers...)
	defer cancelMoved()
	// An engine that hangs must not keep the undo waiting.
	look, cancelLook := l.r.untilStopped(ctx)
	defer cancelLook()
	look, cancelLimit := context.WithDeadline(look, end)
	defer cancelLimit()
	var blind error // why the last look failed
	for lookAtPeers, ticks := true, 0; ; {
		// Checked first, for what happened before the hints began.
		ok, why, err := l.kind.Holding(look, l.r.setup.Tools, l.step)
		if err == nil || look.Err() == nil {
			blind = err
		}
		if err == nil && !ok {
			switch {
			case l.removed(look):
				l.endedEarly(end, why)
				return journal.UndoDue
			case left:
				// A restart policy may be quicker than the sampling, and a phase without samples proves nothing.
				l.r.stopped.sleep(time.Until(l.due.Add(l.r.plan.watchable())))
				return journal.UndoRestarted
			case l.kind.Doc().Follows:
				if l.follow(look, why) {
					continue
				}
				if !l.r.stopped.is() {
					l.lost(why + ", and the fault was not put back")
				}
				return journal.UndoDue
			case !l.kind.Doc().EndsItself || l.step.Lasts:
				l.endedEarly(end, why)
				return journal.UndoDue
			}
		}
		if lookAtPeers && len(peers) > 0 {
			if why := l.moved(look); why != "" {
				l.endedEarly(end, why)
				return journal.UndoDue
			}
		}
		lookAtPeers = false
		select {
		case <-timer.C:
			if blind != nil {
				l.wasBlind(blind)
			}
			if l.gap > l.fault.Fault.Duration/2 {
				l.lost("it was in force for less than half of its time, because the container was restarted")
			}
			if left {
				return journal.UndoPutBack
			}
			return journal.UndoDue
		case <-l.r.stopped.ch:
			return journal.UndoInterrupted // live asks for the reason itself
		case <-hint:
		case <-closing.C:
		case <-moved:
			lookAtPeers = true
		case <-check.C:
			ticks++
			lookAtPeers = ticks%peerCheck == 0
		}
	}
}

// removed says whether the container is gone for good.
func (l *life) removed(ctx context.Context) bool {
	_, err := l.r.setup.Engine.Container(ctx, l.step.Container.ID)
	return errors.Is(err, engine.ErrNotFound)
}

// endedEarly writes down that the fault was over before its time, by somebody else's doing.
func (l *life) endedEarly(end time.Time, why string) {
	if time.Until(end) > 0 {
		l.lost(why)
	}
}

// wasBlind: nobody can tell whether the fault was in force to its end, and a verdict must not rest on it.
func (l *life) wasBlind(err error) {
	l.lost(fmt.Sprintf("whether it was in force to the end cannot be told, because %s could not be looked at: %v", l.step.Container.Name, err))
}

func (l *life) lost(why string) {
	ended := &journal.FaultEndedEarly{Fault: l.name(), Container: l.ref(), Reason: why}
	l.r.write(ended)
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	if l.r.endedEarly == "" {
		l.r.endedEarly = endedEarly(ended)
	}
}

// undo puts the container back, under its own time limit and whatever becomes of the record.
func (l *life) undo(why journal.UndoWhy) {
	l.show(FaultUndoing, time.Time{})
	l.r.commit(&journal.UndoStarted{Fault: l.name(), Container: l.ref(), Why: why})
	done := l.r.watcher.acting(l.step.Container.ID)
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), l.r.undoLimit(l.step.Undo))
	defer cancel()
	began := time.Now()
	proof, err := inject.Perform(ctx, l.r.setup.Tools, l.step.Undo)
	k := stepKey(l.fault, l.step)
	if err != nil {
		l.show(FaultStuck, time.Time{})
		l.r.mu.Lock()
		o := l.r.open[k]
		o.what += ": " + err.Error()
		l.r.open[k] = o
		l.r.mu.Unlock()
		l.r.commit(&journal.UndoFailed{Fault: l.name(), Container: l.ref(), Reason: err.Error(), ByHand: inject.ByHand(l.step.Undo)})
		// Nothing more is injected over it.
		l.r.Stop(journal.UndoError, fmt.Sprintf("fault.%s on %s could not be undone", l.name(), l.step.Container.Name))
		return
	}
	l.show(FaultUndone, time.Time{})
	if proof.HitNothing != "" {
		nothing := &journal.FaultHitNothing{Fault: l.name(), Container: l.ref(), Seen: proof.HitNothing}
		l.r.write(nothing)
		l.r.mu.Lock()
		l.r.hitNothing = cmp.Or(l.r.hitNothing, hitNothing(nothing))
		l.r.mu.Unlock()
	}
	l.close(proof, time.Since(began))
}

// close ends the fault's life for this container: it is seen to be gone.
func (l *life) close(proof inject.Proof, took time.Duration) {
	l.r.mu.Lock()
	delete(l.r.open, stepKey(l.fault, l.step))
	l.r.mu.Unlock()
	l.r.commit(&journal.UndoVerified{Fault: l.name(), Container: l.ref(), Seen: proof.Seen, At: proof.At.UTC(), Took: journal.Duration(took),
		Differences: proof.Differences})
}
