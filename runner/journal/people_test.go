package journal

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// goingOn begins a run that goes on until the test ends.
func goingOn(t *testing.T) (root string, w *Writer) {
	t.Helper()
	root = t.TempDir()
	w, err := Create(root, NewID("freezes", time.Now()), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if _, err := w.Append(&RunStarted{Run: filepath.Base(w.Dir()), Scenario: "freezes"}); err != nil {
		t.Fatal(err)
	}
	return root, w
}

func TestPeopleSpeakWhileTheRunGoesOn(t *testing.T) {
	root, w := goingOn(t)
	if dir, err := Current(root); err != nil || dir != w.Dir() {
		t.Fatalf("the run in progress is %q, %v", dir, err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if _, err := Say(w.Dir(), Actor("sre"), &Note{Text: "a", As: NoteAction}, &Note{Text: "b", As: NoteAction}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	rec, err := Read(w.Dir())
	if err != nil || len(rec.Damage) > 0 || len(rec.People) != 80 {
		t.Fatalf("%d events, %v, %v", len(rec.People), rec.Damage, err)
	}
	for i, e := range rec.People {
		if e.Seq != i+1 || e.Role() != "sre" || e.Payload.(*Note).Text != map[bool]string{true: "a", false: "b"}[i%2 == 0] {
			t.Errorf("event %d is %+v", i, e)
		}
	}
	if e, ok := rec.Event("N3"); !ok || e.Seq != 3 {
		t.Errorf("N3 is %+v", e)
	}
}

// A line that was cut off stays as it is, and what is said next stands on a line of its own.
func TestPeopleSpeakOnAfterACutLine(t *testing.T) {
	_, w := goingOn(t)
	if _, err := Say(w.Dir(), Actor("sre"), &Note{Text: "a"}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.Dir(), PeopleFile)
	b, _ := os.ReadFile(path)
	if err := os.WriteFile(path, append(b, `{"seq":2,"ti`...), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Say(w.Dir(), Actor("sre"), &Note{Text: "b"}); err != nil {
		t.Fatal(err)
	}
	rec, err := Read(w.Dir())
	if err != nil || len(rec.People) != 2 || rec.People[1].Payload.(*Note).Text != "b" {
		t.Fatalf("%+v, %v", rec, err)
	}
}

func TestTheSealEndsPredictions(t *testing.T) {
	_, w := goingOn(t)
	p := &Prediction{Of: "quick", Expects: Held}
	if _, err := Say(w.Dir(), Actor("sre"), p, p, &Note{Text: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := w.SealPredictions(func(s *PredictionsSealed) error {
		if s.Predictions != 2 || s.Last != 3 || s.SHA256 == "" {
			t.Errorf("the seal is %+v", s)
		}
		_, err := w.Commit(s)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := Say(w.Dir(), Actor("sre"), p); !errors.Is(err, ErrSealed) {
		t.Errorf("a prediction after the seal: %v", err)
	}
	if _, err := Say(w.Dir(), Actor("sre"), &Note{Text: "b"}); err != nil {
		t.Errorf("a note after the seal: %v", err)
	}
	rec, _ := Read(w.Dir())
	if len(rec.Damage) > 0 || Sealed(rec.Events) == nil {
		t.Errorf("%v", rec.Damage)
	}
	path := filepath.Join(w.Dir(), PeopleFile)
	b, _ := os.ReadFile(path)
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), `"held"`, `"refuted"`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if rec, _ = Read(w.Dir()); len(rec.Damage) != 1 || rec.Damage[0].File != PeopleFile {
		t.Errorf("changed after the seal: %v", rec.Damage)
	}
}

// sealed is a run with two predictions and a note under the seal, and a note after it; it returns the path of its people's file and what is in it.
func sealed(t *testing.T) (w *Writer, path string, file []byte) {
	t.Helper()
	_, w = goingOn(t)
	if _, err := Say(w.Dir(), Actor("sre"), &Prediction{Of: "quick", Expects: Held}, &Prediction{Of: "calm", Expects: Held}, &Note{Text: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := w.SealPredictions(func(s *PredictionsSealed) error { _, err := w.Commit(s); return err }); err != nil {
		t.Fatal(err)
	}
	if _, err := Say(w.Dir(), Actor("sre"), &Note{Text: "b"}); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(w.Dir(), PeopleFile)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return w, path, file
}

// What was said before the seal is told by where it stands in the file and that it is still the same, never by the number on its line.
func TestWhatIsUnderTheSeal(t *testing.T) {
	w, path, file := sealed(t)
	late := `{"seq":1,"time":"2026-01-01T00:00:00Z","offset":"1s","actor":"role:sre","kind":"people.prediction","data":{"of":"quick","expects":"refuted"}}` + "\n"
	lines := strings.SplitAfter(string(file), "\n")
	for _, tt := range []struct {
		name, file string
		sealed     int
		damage     string // of the whole file
	}{
		{"as it was", string(file), 3, ""},
		{"a line with an early number at the end", string(file) + late, 3, ""},
		{"a line with an early number before all others", late + string(file), 0, "is not what was sealed then"},
		{"a line changed", strings.Replace(string(file), `"held"`, `"refuted"`, 1), 0, "is not what was sealed then"},
		{"cut under the seal", lines[0] + lines[1], 0, "it is shorter than what was sealed before the first injection: "},
		{"cut after the seal", lines[0] + lines[1] + lines[2], 3, ""},
		{"emptied", "", 0, "it is shorter than what was sealed before the first injection: 0 bytes of "},
		{"deleted", "deleted", 0, "it is missing, and what had been said before the first injection was sealed in it"},
	} {
		if err := os.WriteFile(path, []byte(tt.file), 0o644); err != nil {
			t.Fatal(err)
		}
		if tt.file == "deleted" {
			os.Remove(path)
		}
		rec, err := Read(w.Dir())
		if err != nil {
			t.Fatal(err)
		}
		under := 0
		for i, e := range rec.People {
			if e.Sealed {
				under++
			}
			if e.Sealed != (i < tt.sealed) {
				t.Errorf("%s: %s %s, sealed: %t", tt.name, e.ID(), e.Payload.Kind(), e.Sealed)
			}
		}
		whole := ""
		for _, d := range rec.Damage {
			if d.File == PeopleFile && d.Line == 0 {
				whole += d.What
			}
		}
		if under != tt.sealed || !strings.Contains(whole, tt.damage) || (whole == "") != (tt.damage == "") {
			t.Errorf("%s: %d sealed, damage %q", tt.name, under, whole)
		}
	}
}

// A line that had no end when the seal was made counts as it was then, and not with what is written on to it.
func TestALineIsCutOffAtTheSeal(t *testing.T) {
	_, w := goingOn(t)
	line := `{"seq":1,"time":"2026-01-01T00:00:00Z","offset":"1s","actor":"role:sre","kind":"people.prediction","data":{"of":"quick","expects":"held"}}`
	path := filepath.Join(w.Dir(), PeopleFile)
	for _, tt := range []struct {
		then, later string
		sealed      int
	}{{line, "", 1}, {line, "\n" + line, 1}, {line, " ", 0}, {line[:40], line[40:], 0}} {
		if err := os.WriteFile(path, []byte(tt.then), 0o644); err != nil {
			t.Fatal(err)
		}
		var rec Record
		if err := w.SealPredictions(func(s *PredictionsSealed) error { rec.Events = []Event{{Payload: s}}; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(tt.then+tt.later), 0o644); err != nil {
			t.Fatal(err)
		}
		rec.readPeople(w.Dir())
		under := 0
		for _, e := range rec.People {
			if e.Sealed {
				under++
			}
		}
		if under != tt.sealed {
			t.Errorf("%q, then %q: %d sealed, want %d", tt.then, tt.later, under, tt.sealed)
		}
	}
	rec := Record{Events: []Event{{Payload: &PredictionsSealed{Bytes: -1}}}}
	if rec.readPeople(w.Dir()); len(rec.Damage) == 0 {
		t.Error("a seal over less than nothing is taken")
	}
}

// Nobody predicts while the seal is made: each prediction is under it or refused.
func TestSealAndPredictionsRace(t *testing.T) {
	_, w := goingOn(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				if _, err := Say(w.Dir(), Actor("sre"), &Prediction{Of: "quick", Expects: Held}); err != nil {
					if !errors.Is(err, ErrSealed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	if err := w.SealPredictions(func(s *PredictionsSealed) error { _, err := w.Commit(s); return err }); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	rec, _ := Read(w.Dir())
	if s := Sealed(rec.Events); len(rec.People) != s.Predictions || len(rec.Damage) > 0 {
		t.Errorf("%d predictions, sealed %d, %v", len(rec.People), s.Predictions, rec.Damage)
	}
}

func TestPredictionsWait(t *testing.T) {
	root, w := goingOn(t)
	sure := Number(0.7)
	for _, expects := range []Verdict{Held, Refuted} {
		if err := Predict(root, "freezes", Actor("sre"), &Prediction{Of: "quick", Expects: expects, Confidence: &sure}); err != nil {
			t.Fatal(err)
		}
	}
	if err := Predict(root, "other", Actor("sre"), &Prediction{Of: "quick", Expects: Held}); err != nil {
		t.Fatal(err)
	}
	used, err := TakePredictions(root, "freezes", w.Dir())
	if err != nil {
		t.Fatal(err)
	}
	rec, _ := Read(w.Dir())
	if len(rec.People) != 2 || rec.People[1].Payload.(*Prediction).Expects != Refuted || *rec.People[1].Payload.(*Prediction).Confidence != sure {
		t.Errorf("%+v", rec.People)
	}
	if dirs, _ := Runs(root); len(dirs) != 1 {
		t.Errorf("runs: %v", dirs)
	}

	// Until they are used the next run has them, too; what is predicted meanwhile is for that one alone.
	if err := Predict(root, "freezes", Actor("dba"), &Prediction{Of: "quick", Expects: Held}); err != nil {
		t.Fatal(err)
	}
	next := func() []Event {
		t.Helper()
		_, w := goingOn(t)
		if _, err := TakePredictions(root, "freezes", w.Dir()); err != nil {
			t.Fatal(err)
		}
		rec, _ := Read(w.Dir())
		return rec.People
	}
	if all := next(); len(all) != 3 || all[0].Role() != "sre" {
		t.Errorf("before they are used the next run has %+v", all)
	}
	if err := used(); err != nil {
		t.Fatal(err)
	}
	if all := next(); len(all) != 1 || all[0].Role() != "dba" {
		t.Errorf("after they are used the next run has %+v", all)
	}
	if err := used(); err != nil {
		t.Errorf("used twice: %v", err)
	}
}

// What waits and cannot be read is never lost: it stays in its file, and is named.
func TestUnreadPredictionsStay(t *testing.T) {
	root, w := goingOn(t)
	p := &Prediction{Of: "quick", Expects: Held}
	if err := Predict(root, "freezes", Actor("sre"), p); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, ".predictions", "freezes.jsonl")
	b, _ := os.ReadFile(path)
	note := `{"seq":1,"time":"2026-01-01T00:00:00Z","offset":"0s","actor":"role:sre","kind":"people.note","data":{"text":"a","as":"action"}}`
	torn := string(b[:len(b)/2])
	if err := os.WriteFile(path, []byte(string(b)+note+"\n\n"+torn), 0o644); err != nil {
		t.Fatal(err)
	}
	// What is predicted next does not become one line with what was cut off.
	if err := Predict(root, "freezes", Actor("dba"), p); err != nil {
		t.Fatal(err)
	}
	used, err := TakePredictions(root, "freezes", w.Dir())
	if err != nil {
		t.Fatal(err)
	}
	rec, _ := Read(w.Dir())
	if len(rec.People) != 2 || rec.People[0].Role() != "sre" || rec.People[1].Role() != "dba" {
		t.Errorf("the run has %+v", rec.People)
	}
	if at, lines := UnreadPredictions(root, "freezes"); at != path || !slices.Equal(lines, []int{2, 4}) {
		t.Errorf("unread are the lines %v of %s", lines, at)
	}
	if err := used(); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != note+"\n\n"+torn+"\n" {
		t.Errorf("what stays is %q", b)
	}
}

func TestKindsOfNotes(t *testing.T) {
	for in, want := range map[string][2]string{
		"!surprise it holds": {NoteSurprise, "it holds"}, "!q who asks?": {NoteQuestion, "who asks?"}, "!OBS x": {NoteObservation, "x"},
		"!action": {NoteAction, ""}, "!action:\tx y": {NoteAction, "x y"}, " x ": {NoteObservation, "x"}, "!!! x": {NoteObservation, "!!! x"},
		"!vent bob": {Vent, "bob"}, "!V\nbob": {Vent, "bob"}, "!Vent: bob": {Vent, "bob"}, "!vents bob": {Vent, "vents bob"}, "!vent,bob x": {Vent, "vent,bob x"}, "!vent": {Vent, ""},
	} {
		if kind, rest, ok := SplitKind(in); kind != want[0] || rest != want[1] || !ok {
			t.Errorf("%q: %q, %q, %t", in, kind, rest, ok)
		}
	}
	for in, word := range map[string]string{"!a x": "a", "!nope x": "nope", "!vnet bob": "vnet"} {
		if got, _, ok := SplitKind(in); ok || got != word {
			t.Errorf("%q: %q, %t", in, got, ok)
		}
	}
}
