package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gameday/runner/journal"
)

// keepSealed writes the noted run as a run directory, with the seal over the lines before the late prediction, and returns the people's file.
func keepSealed(t *testing.T) (dir, path string, sealed, after []byte) {
	t.Helper()
	rec := notedRun()
	for _, e := range rec.People {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if e.Sealed {
			sealed = append(sealed, append(b, '\n')...)
		} else {
			after = append(after, append(b, '\n')...)
		}
	}
	hash := sha256.Sum256(sealed)
	seal := journal.Sealed(rec.Events)
	seal.Bytes, seal.SHA256 = len(sealed), hex.EncodeToString(hash[:])
	dir = keep(t, rec)
	return dir, filepath.Join(dir, journal.PeopleFile), sealed, after
}

// Only what stands in the record as it was sealed is called predicted before the fault. Where the seal is broken nothing is, and the draft says so.
func TestPredictionsCountUnderTheSealAlone(t *testing.T) {
	dir, path, sealed, after := keepSealed(t)
	early := []byte(`{"seq":1,"time":"2026-11-22T10:04:00Z","offset":"1s","actor":"role:late","kind":"people.prediction","data":{"of":"checkout_stays_quick","expects":"refuted"}}` + "\n")
	const (
		spread  = "Of 3 roles that predicted `checkout_stays_quick` before the fault"
		changed = "5 predictions were sealed before the first injection, and what stood in `people.jsonl` then does not stand there now: "
		damaged = "Damaged: `people.jsonl`: "
	)
	for _, tt := range []struct {
		name   string
		file   []byte // nil: it is deleted
		counts int    // of the predictions in report.json
		says   []string
		not    []string
	}{
		{"as it was", append(sealed, after...), 4, []string{spread, "1 prediction was written down after the first injection was begun, and is not counted."}, []string{damaged}},
		{"a line with an early number at the end", bytes.Join([][]byte{sealed, after, early}, nil), 4,
			[]string{spread, "2 predictions were written down after the first injection was begun, and are not counted."}, []string{damaged + "what", "`late` expected"}},
		{"a line changed", append(bytes.Replace(sealed, []byte(`"refuted"`), []byte(`"held"`), 1), after...), 0,
			[]string{damaged + "what had been said before the first injection is not what was sealed then", changed + "the 6 predictions in it are not counted.",
				"predicted of `checkout_keeps_working`: `held`, with a confidence of 60 %; it is not among what was sealed before the fault"},
			[]string{"that predicted", "Before the fault: ", "opposite"}},
		{"shortened", sealed[:bytes.IndexByte(sealed, '\n')+1], 0,
			[]string{damaged + "it is shorter than what was sealed before the first injection: ", changed + "the 1 prediction in it is not counted."}, []string{"that predicted", "Before the fault: "}},
		{"deleted", nil, 0,
			[]string{damaged + "it is missing, and what had been said before the first injection was sealed in it", changed + "no prediction is counted."}, []string{"that predicted", "Before the fault: "}},
	} {
		os.Remove(path)
		if tt.file != nil {
			if err := os.WriteFile(path, tt.file, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		rec, err := journal.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		d := Build(rec)
		for _, b := range breaches(t, d) {
			t.Errorf("%s: %s", tt.name, b)
		}
		text := string(d.Markdown())
		for _, want := range tt.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the draft does not say %q", tt.name, want)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(text, not) {
				t.Errorf("%s: the draft says %q", tt.name, not)
			}
		}
		counts := 0
		for _, p := range d.facts.jsonPredictions() {
			if p.Counts {
				counts++
			}
		}
		if counts != tt.counts {
			t.Errorf("%s: %d predictions count, want %d", tt.name, counts, tt.counts)
		}
		var end strings.Builder
		Summary(&end, d, false, 400)
		if broken := strings.HasPrefix(tt.says[0], damaged); broken != strings.Contains(end.String(), "Damaged: people.jsonl: ") {
			t.Errorf("%s: the end of the run on a terminal says:\n%s", tt.name, end.String())
		}
	}
}

// A record that has lost its seal does not show that anything was predicted before the fault.
func TestPredictionsWithoutASeal(t *testing.T) {
	s := refutedRun().end(90.2, journal.OutcomeRefuted, 3)
	text := string(Build(s.say(80, "sre", &journal.Prediction{Of: "checkout_stays_quick", Expects: journal.Held}).rec).Markdown())
	if !strings.Contains(text, "The record has no seal from before the first injection, and 1 prediction is not counted.") || strings.Contains(text, "that predicted") {
		t.Error("a prediction without a seal counts")
	}
	s = &story{gateRun()}
	text = string(Build(s.say(80, "sre", &journal.Prediction{Of: "checkout_stays_quick", Expects: journal.Held}).rec).Markdown())
	if !strings.Contains(text, "Before the fault: `checkout_stays_quick` ") {
		t.Error("a prediction for a run that injected nothing does not count")
	}
}
