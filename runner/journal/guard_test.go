package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// ids are the events of a record as they are cited.
func ids(rec *Record) string {
	var out []string
	for _, e := range rec.Events {
		out = append(out, e.ID())
	}
	return strings.Join(out, " ")
}

// guardDamage is what of the guard's file is missing or unreadable.
func guardDamage(rec *Record) []Damage {
	return slices.DeleteFunc(rec.Damage, func(d Damage) bool { return d.File != GuardFile })
}

// guardBytes is a guard's file whose events come at these seconds after the epoch, each having read the journal up to after.
func guardBytes(t testing.TB, after int, payloads map[float64]Payload) []byte {
	t.Helper()
	var b bytes.Buffer
	var at []float64
	for s := range payloads {
		at = append(at, s)
	}
	slices.Sort(at)
	for i, s := range at {
		line, err := json.Marshal(Event{Seq: i + 1, Time: epoch.Add(time.Duration(s * float64(time.Second))), Actor: "guard", After: after, Payload: payloads[s]})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.Bytes()
}

// twoFaults is a journal whose second fault is open: events 1 to 3 are the start, 4 and 5 the first fault, 6 the second intent.
func twoFaults(t testing.TB) []byte {
	t.Helper()
	whole := journalBytes(t, 2)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	return bytes.Join(lines[:6], nil)
}

func withGuard(t testing.TB, journal, guard []byte) string {
	t.Helper()
	dir := runDir(t, journal, nil)
	if err := os.WriteFile(filepath.Join(dir, GuardFile), guard, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestGuardCloses(t *testing.T) {
	ref := Ref{ID: "id1", Name: "ä\n\"x"}
	guard := guardBytes(t, 6, map[float64]Payload{
		-5: &GuardState{Up: true}, 10: &Stopping{Why: UndoGuard}, 11: &UndoVerified{Fault: "f", Container: ref}, 12: &RunEnded{Outcome: OutcomeInterrupted},
	})
	rec := read(t, withGuard(t, twoFaults(t), guard))
	// Whatever the clocks say, what the guard writes comes after what it had read, and the start of the run comes first.
	if got, want := ids(rec), "E1 E2 E3 E4 E5 E6 G1 G2 G3 G4"; got != want {
		t.Errorf("the events are %s, want %s", got, want)
	}
	if damage := guardDamage(rec); len(damage) != 0 {
		t.Errorf("damage: %v", damage)
	}
	if open := OpenIntents(rec.Events); len(open) != 0 {
		t.Errorf("open: %+v", open)
	}
	if end := rec.Ended(); end == nil || end.Outcome != OutcomeInterrupted {
		t.Errorf("it ended with %+v", end)
	}
	if open := OpenIntents(read(t, runDir(t, twoFaults(t), nil)).Events); len(open) != 1 {
		t.Errorf("without the guard's file, open: %+v", open)
	}
}

func TestGuardAmongTheJournal(t *testing.T) {
	var b bytes.Buffer
	for i := range 6 {
		var p Payload = &PhaseStarted{}
		if i == 0 {
			p = &RunStarted{}
		}
		line, err := json.Marshal(Event{Seq: i + 1, Time: epoch.Add(time.Duration(i) * 10 * time.Second), Payload: p})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	for _, x := range []struct {
		after int
		at    []float64
		want  string
	}{
		{0, []float64{-3, 5, 25, 100}, "E1 G1 G2 E2 E3 G3 E4 E5 E6 G4"},
		{4, []float64{-3, 5, 35, 36}, "E1 E2 E3 E4 G1 G2 G3 G4 E5 E6"},
		{99, []float64{1, 2}, "E1 E2 E3 E4 E5 E6 G1 G2"},
		{1, []float64{50}, "E1 E2 E3 E4 E5 E6 G1"}, // at the very moment of the last one
	} {
		payloads := map[float64]Payload{}
		for _, s := range x.at {
			payloads[s] = &GuardState{Up: true}
		}
		dir := withGuard(t, b.Bytes(), guardBytes(t, x.after, payloads))
		for range 2 {
			if got := ids(read(t, dir)); got != x.want {
				t.Errorf("after %d at %v: %s, want %s", x.after, x.at, got, x.want)
			}
		}
	}
}

// An intent that the guard had not read is not closed by it, even where the clock was set back meanwhile.
func TestGuardClosesOnlyWhatItHasRead(t *testing.T) {
	guard := guardBytes(t, 5, map[float64]Payload{10: &UndoVerified{Fault: "f", Container: Ref{ID: "id1", Name: "ä\n\"x"}}})
	rec := read(t, withGuard(t, twoFaults(t), guard))
	if got, want := ids(rec), "E1 E2 E3 E4 E5 E6 G1"; got != want {
		t.Errorf("the events are %s, want %s", got, want)
	}
	if open := OpenIntents(rec.Events); len(open) != 1 {
		t.Errorf("open: %+v", open)
	}
}

func TestGuardCutAtEveryByte(t *testing.T) {
	ref := Ref{ID: "id1", Name: "ä\n\"x"}
	whole := guardBytes(t, 6, map[float64]Payload{1: &GuardState{Up: true}, 10: &UndoStarted{Fault: "f", Container: ref}, 11: &UndoVerified{Fault: "f", Container: ref}})
	dir := withGuard(t, twoFaults(t), whole)
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(filepath.Join(dir, GuardFile), whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		rec := read(t, dir)
		lines := bytes.Count(whole[:cut], []byte("\n"))
		if cut < len(whole) && whole[cut] == '\n' {
			lines++
		}
		if len(rec.Events) != 6+lines {
			t.Fatalf("cut at %d: %d events, want %d", cut, len(rec.Events), 6+lines)
		}
		if open := len(OpenIntents(rec.Events)) > 0; open != (lines < 3) {
			t.Fatalf("cut at %d: open is %v", cut, open)
		}
		atEnd := cut == 0 || whole[cut-1] == '\n'
		if named := slices.ContainsFunc(rec.Damage, func(d Damage) bool { return d.File == GuardFile && d.Line > 0 }); named == atEnd || rec.cut {
			t.Fatalf("cut at %d: damage %v, the journal is cut: %v", cut, rec.Damage, rec.cut)
		}
	}
	broken := bytes.Replace(whole, []byte(`{"seq":2`), []byte(`{"seq"`), 1)
	if err := os.WriteFile(filepath.Join(dir, GuardFile), broken, 0o644); err != nil {
		t.Fatal(err)
	}
	rec := read(t, dir)
	if damage := guardDamage(rec); len(damage) != 2 || len(OpenIntents(rec.Events)) != 0 {
		t.Errorf("a line that cannot be read: damage %v, open %v", damage, OpenIntents(rec.Events))
	}
}

// The guard's file without a journal is no record.
func TestGuardAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, GuardFile), guardBytes(t, 0, map[float64]Payload{1: &GuardState{Up: true}}), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil {
		t.Error("it was read")
	}
}

func TestGuardWriter(t *testing.T) {
	dir := runDir(t, twoFaults(t), nil)
	if busy, err := GuardBusy(dir); busy || err != nil {
		t.Errorf("busy before there is one: %v, %v", busy, err)
	}
	w, earlier, err := OpenGuard(dir)
	if err != nil || len(earlier) != 0 {
		t.Fatalf("%v, %v", earlier, err)
	}
	if busy, err := GuardBusy(dir); !busy || err != nil {
		t.Errorf("busy: %v, %v", busy, err)
	}
	if busy, err := Busy(dir); busy || err != nil {
		t.Errorf("the journal is busy: %v, %v", busy, err)
	}
	if _, _, err := OpenGuard(dir); !errors.Is(err, ErrBusy) {
		t.Errorf("a second guard: %v", err)
	}
	if _, err := w.Commit(&GuardState{Up: true}); err != nil {
		t.Fatal(err)
	}
	w.HasRead(read(t, dir).Events)
	ev, err := w.Commit(&Stopping{Why: UndoGuard, Detail: "gone"})
	if err != nil || ev.ID() != "G2" || ev.After != 6 || ev.Actor != "guard" {
		t.Errorf("%+v, %v", ev, err)
	}
	if events, err := GuardEvents(dir); err != nil || Fired(events) == nil || Fired(events).Detail != "gone" {
		t.Errorf("fired: %v, %v", events, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	// Another process goes on after a line that was cut off.
	path := filepath.Join(dir, GuardFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)-9], 0o644); err != nil {
		t.Fatal(err)
	}
	w, earlier, err = OpenGuard(dir)
	if err != nil || len(earlier) != 1 {
		t.Fatalf("%v, %v", earlier, err)
	}
	if ev, err := w.Commit(&GuardState{Up: true}); err != nil || ev.ID() != "G2" {
		t.Errorf("%+v, %v", ev, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rec := read(t, dir)
	if damage := guardDamage(rec); len(rec.Events) != 8 || len(damage) != 1 {
		t.Errorf("%s, %v", ids(rec), damage)
	}
	// A recovery counts the journal's own numbers on.
	j, err := Reopen(dir, "recover")
	if err != nil {
		t.Fatal(err)
	}
	if ev, err := j.Append(&Residue{}); err != nil || ev.ID() != "E7" {
		t.Errorf("%+v, %v", ev, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if damage := guardDamage(read(t, dir)); len(damage) != 1 {
		t.Errorf("damage: %v", damage)
	}
}

func TestBeat(t *testing.T) {
	dir := t.TempDir()
	if last, err := LastBeat(dir, RunnerBeat); last != "" || err != nil {
		t.Errorf("before the first: %q, %v", last, err)
	}
	b, err := OpenBeat(dir, RunnerBeat)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 20 {
		last, err := LastBeat(dir, RunnerBeat)
		if err != nil || last == "" || seen[last] {
			t.Errorf("%q, %v", last, err)
		}
		seen[last] = true
		if err := b.Beat(); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err = OpenBeat(dir, RunnerBeat); err != nil {
		t.Fatal(err)
	}
	if last, err := LastBeat(dir, RunnerBeat); err != nil || seen[last] {
		t.Errorf("started again: %q, %v", last, err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	RemoveBeats(dir)
	if last, err := LastBeat(dir, RunnerBeat); last != "" || err != nil {
		t.Errorf("after the last: %q, %v", last, err)
	}
}
