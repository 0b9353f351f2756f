package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"gameday/runner/journal"
	"gameday/scenarios"
)

// declare writes down what the run is and what is expected of it, before anything is done.
func (r *Run) declare() error {
	started, declared, targets := r.describe()
	// The start is written first, whatever becomes of the rest: without it a record cannot be read.
	err := r.record(true, func() (journal.Event, error) { return r.journal.Append(started) })
	r.announceStop()
	for _, t := range targets {
		err = errors.Join(err, r.write(t))
	}
	err = errors.Join(err, r.write(declared), r.declareReport(), r.write(earlier(r.setup, r.plan.Scenario, r.id)), r.declareAlerts(),
		r.writeSpots(append(r.plan.Blind[:len(r.plan.Blind):len(r.plan.Blind)], r.alerts.blind()...)), r.journal.SaveScenario(r.scenarioFiles()),
		r.takePredictions())
	if err != nil {
		return err
	}
	for _, q := range r.plan.Queries {
		purpose := "hypothesis"
		if q.Guardrail != nil {
			purpose = "guardrail"
		}
		err := r.journal.BeginQuery(journal.Query{ID: q.ID, Purpose: purpose, Name: q.Name(), Text: q.Text, Every: journal.Duration(q.Every)})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) declareReport() error {
	if report := describeReport(r.plan.Scenario); report != nil {
		return r.write(report)
	}
	return nil
}

func (r *Run) scenarioFiles() map[string][]byte {
	files := map[string][]byte{}
	for _, f := range r.plan.Workspace.Files {
		files[f.Name] = f.Redacted
	}
	return files
}

// hash is over the names and redacted contents of the scenario's files, in name order.
func hash(files []scenarios.File) string {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%s %d\n", f.Name, len(f.Redacted))
		h.Write(f.Redacted)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// announceStop writes down why the run is ended, once. Before the record has begun there is nothing to write it into.
func (r *Run) announceStop() {
	why, detail := r.stopped.why()
	if why == "" {
		return
	}
	r.recording.Lock()
	ready := r.recorded && !r.announced
	r.announced = r.announced || ready
	r.recording.Unlock()
	if ready {
		r.write(&journal.Stopping{Why: why, Detail: detail})
	}
}

// takePredictions takes up what was predicted for this run before it began. A sham run leaves it to a run that injects something.
func (r *Run) takePredictions() (err error) {
	r.predictionsUsed = func() error { return nil }
	if !r.plan.Sham {
		r.predictionsUsed, err = journal.TakePredictions(r.setup.Runs, r.plan.Scenario.Name, r.Dir())
	}
	return err
}

// seal closes the predictions. What is predicted from here on is predicted by somebody who may see what becomes of it. Without a seal nothing
// is injected.
func (r *Run) seal() error {
	err := r.journal.SealPredictions(func(s *journal.PredictionsSealed) error { return r.commit(s) })
	if err == nil {
		err = r.predictionsUsed()
	}
	if err != nil {
		r.keep(err)
		r.Stop(journal.UndoError, err.Error())
	}
	return err
}

// write appends an event. If it cannot be written the run is ended: what is not recorded must not be done.
func (r *Run) write(p journal.Payload) error { return r.writeBy("runner", p) }

func (r *Run) writeBy(actor string, p journal.Payload) error {
	return r.record(false, func() (journal.Event, error) { return r.journal.AppendBy(actor, p) })
}

// commit appends an event and waits until it is on the disk.
func (r *Run) commit(p journal.Payload) error {
	return r.record(false, func() (journal.Event, error) { return r.journal.Commit(p) })
}

// record writes one event; first begins the record. Before and after it nothing is written.
func (r *Run) record(first bool, write func() (journal.Event, error)) error {
	r.recording.Lock()
	r.recorded = r.recorded || first
	if !r.recorded {
		r.recording.Unlock()
		return nil
	}
	ev, err := write()
	if err == nil || errors.Is(err, journal.ErrReserve) {
		r.audience.add(ev)
		r.mu.Lock()
		r.deeds.take(ev)
		r.mu.Unlock()
	}
	r.recording.Unlock()
	if err != nil {
		r.keep(err)
		r.Stop(journal.UndoError, err.Error())
	}
	return err
}

func (r *Run) firstError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.recordErr
}

// keep remembers the first error of the record.
func (r *Run) keep(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.recordErr == nil {
		r.recordErr = err
	}
}

// closeRecord ends the record. What happens from now on is not written down.
func (r *Run) closeRecord() error {
	r.recording.Lock()
	defer r.recording.Unlock()
	r.recorded = false
	return r.journal.Close()
}
