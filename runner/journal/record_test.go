package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func read(t testing.TB, dir string) *Record {
	t.Helper()
	rec, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

var epoch = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// journalBytes is a journal of a run with so many faults.
func journalBytes(t testing.TB, faults int) []byte {
	t.Helper()
	payloads := []Payload{
		&RunStarted{Run: "run", Scenario: "s", Seed: 1},
		&Declared{Hypotheses: []Hypothesis{{Name: "h", QueryID: "Q1", Query: "up"}}, Guardrails: []Guardrail{{Name: "g", QueryID: "Q2"}}},
		&PhaseStarted{Phase: Baseline},
	}
	for i := range faults {
		ref := Ref{ID: fmt.Sprint("id", i), Name: "ä\n\"x"}
		payloads = append(payloads, &FaultIntent{Fault: "f", Container: ref, Undo: json.RawMessage(`{"kind":"unpause"}`)}, &UndoVerified{Fault: "f", Container: ref})
	}
	var b bytes.Buffer
	for i, p := range payloads {
		line, err := json.Marshal(Event{Seq: i + 1, Time: epoch.Add(time.Duration(i)), Actor: "runner", Payload: p})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.Bytes()
}

func sampleBytes(t testing.TB, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(`{"id":"Q1","purpose":"hypothesis","name":"h","query":"up","every":"1s"}` + "\n")
	for i := range n {
		bound := Number(2)
		line, err := json.Marshal(Sample{At: epoch.Add(time.Duration(i) * time.Second), Phase: Baseline, State: Holding,
			Series: []SeriesValue{{Labels: map[string]string{"a": "}"}, Value: 1, OK: true, Op: "<", Bound: &bound}}})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.Bytes()
}

func runDir(t testing.TB, journal []byte, samples map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, SamplesDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, FileName), journal, 0o644); err != nil {
		t.Fatal(err)
	}
	for id, b := range samples {
		if err := os.WriteFile(filepath.Join(dir, SamplesDir, id+".jsonl"), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestJournalCutAtEveryByte(t *testing.T) {
	whole := journalBytes(t, 2)
	dir := runDir(t, whole, nil)
	all := read(t, dir).Events
	for cut := range len(whole) {
		if err := os.WriteFile(filepath.Join(dir, FileName), whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		want := bytes.Count(whole[:cut], []byte("\n"))
		atEnd := cut == 0 || whole[cut-1] == '\n'
		if whole[cut] == '\n' {
			want++ // only the end of the line is missing
		}
		rec, err := Read(dir)
		if want == 0 {
			if err == nil {
				t.Fatalf("cut at %d: no error without a single event", cut)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if !reflect.DeepEqual(rec.Events, all[:want]) {
			t.Fatalf("cut at %d: %d events, want %d", cut, len(rec.Events), want)
		}
		var named bool
		for _, d := range rec.Damage {
			named = named || d.File == FileName && d.Line > 0
		}
		if named == atEnd || rec.cut == atEnd {
			t.Fatalf("cut at %d: damage %v", cut, rec.Damage)
		}
	}
}

func TestSamplesCutAtEveryByte(t *testing.T) {
	whole := sampleBytes(t, 3)
	dir := runDir(t, journalBytes(t, 0), map[string][]byte{"Q1": whole, "Q2": whole})
	for cut := range len(whole) {
		if err := os.WriteFile(filepath.Join(dir, SamplesDir, "Q1.jsonl"), whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		rec := read(t, dir)
		want := bytes.Count(whole[:cut], []byte("\n")) - 1
		if whole[cut] == '\n' {
			want++
		}
		if got := len(rec.Queries["Q1"].Samples); got != max(want, 0) {
			t.Fatalf("cut at %d: %d samples, want %d", cut, got, want)
		}
		if atEnd := cut == 0 || whole[cut-1] == '\n'; (len(rec.Damage) == 0) != atEnd {
			t.Fatalf("cut at %d: damage %v", cut, rec.Damage)
		}
	}
}

func TestDamageIsNamed(t *testing.T) {
	lines := strings.SplitAfter(string(journalBytes(t, 2)), "\n")
	lines = lines[:len(lines)-1]
	renumber := func(i, seq int) string {
		return strings.Replace(lines[i], fmt.Sprintf(`"seq":%d`, i+1), fmt.Sprintf(`"seq":%d`, seq), 1)
	}
	with := func(i int, line string) string {
		out := append([]string{}, lines...)
		out[i] = line
		return strings.Join(out, "")
	}
	tests := map[string]struct {
		journal string
		events  int
		damage  []string
	}{
		"whole":          {strings.Join(lines, ""), 7, nil},
		"broken middle":  {with(3, "{\"seq\":4,\n"), 6, []string{"4 this line cannot be read (9 bytes)", "5 event 4 is missing"}},
		"empty line":     {with(3, lines[3]+"\n"), 7, []string{"5 this line cannot be read (0 bytes)"}},
		"zeros":          {with(3, strings.Repeat("\x00", 50)+"\n"), 6, []string{"4 this line cannot be read (50 bytes)", "5 event 4 is missing"}},
		"two missing":    {with(3, "") /* and */ + "", 6, []string{"4 event 4 is missing"}},
		"twice":          {with(3, lines[3]+lines[3]), 8, []string{"5 event 4 stands where event 5 was to be"}},
		"a wrong number": {with(3, renumber(3, 904)), 7, []string{"4 events 4 to 903 are missing", "5 event 5 stands where event 905 was to be"}},
		"no kind":        {with(3, "{\"seq\":4}\n"), 6, []string{"4 this line cannot be read (9 bytes)", "5 event 4 is missing"}},
		"other payload":  {with(3, `{"seq":4,"kind":"fault.intent","data":[]}`+"\n"), 6, []string{"4 this line cannot be read (41 bytes)", "5 event 4 is missing"}},
		"unknown kind":   {with(3, `{"seq":4,"time":"2026-01-01T00:00:00Z","offset":"1s","kind":"later","data":[]}`+"\n"), 7, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rec := read(t, runDir(t, []byte(tt.journal), map[string][]byte{"Q1": sampleBytes(t, 0), "Q2": sampleBytes(t, 0)}))
			var damage []string
			for _, d := range rec.Damage {
				damage = append(damage, fmt.Sprintf("%d %s", d.Line, d.What))
			}
			if len(rec.Events) != tt.events || !reflect.DeepEqual(damage, tt.damage) {
				t.Errorf("%d events, want %d\ndamage %q\nwant   %q", len(rec.Events), tt.events, damage, tt.damage)
			}
		})
	}
}

func TestUnreadableRuns(t *testing.T) {
	lines := strings.SplitAfter(string(journalBytes(t, 1)), "\n")
	for name, tt := range map[string]struct{ journal, says string }{
		"empty":        {"", "no readable event"},
		"junk":         {"\x00\xff\n\nabc", "no readable event"},
		"first broken": {"{\n" + strings.Join(lines[1:], ""), "does not begin with the start of a run (event 2 is scenario.declared)"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Read(runDir(t, []byte(tt.journal), nil)); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error is %v", err)
			}
		})
	}
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a run directory") {
		t.Errorf("error is %v", err)
	}
}

func TestDamagedSamples(t *testing.T) {
	whole := sampleBytes(t, 2)
	second := bytes.SplitAfter(whole, []byte("\n"))[2]
	rec := read(t, runDir(t, journalBytes(t, 0), map[string][]byte{"Q1": append(append(append([]byte{}, whole...), "junk\n"...), second...)}))
	if n := len(rec.Queries["Q1"].Samples); n != 3 {
		t.Errorf("%d samples", n)
	}
	var damage []string
	for _, d := range rec.Damage {
		damage = append(damage, fmt.Sprintf("%s:%d %s", d.File, d.Line, d.What))
	}
	want := []string{"samples/Q1.jsonl:4 this line cannot be read (4 bytes)", "samples/Q2.jsonl:0 the samples of guardrail g are missing"}
	if !reflect.DeepEqual(damage, want) {
		t.Errorf("damage %q", damage)
	}

	dir := runDir(t, journalBytes(t, 0), map[string][]byte{"Q1": whole})
	if err := os.Mkdir(filepath.Join(dir, SamplesDir, "Q2.jsonl"), 0o755); err != nil {
		t.Fatal(err)
	}
	if rec := read(t, dir); len(rec.Damage) != 1 || !strings.Contains(rec.Damage[0].What, "cannot be read: ") || strings.Contains(rec.Damage[0].What, dir) {
		t.Errorf("damage %v", rec.Damage)
	}
}

func TestSamplesAreOrderedByTime(t *testing.T) {
	w := create(t)
	commit(t, w, &RunStarted{}, &Declared{Hypotheses: []Hypothesis{{QueryID: "Q1"}}})
	if err := w.BeginQuery(Query{ID: "Q1"}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []int{2, 0, 1} {
		if err := w.Sample("Q1", Sample{At: epoch.Add(time.Duration(s) * time.Second)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range read(t, w.Dir()).Queries["Q1"].Samples {
		if want := epoch.Add(time.Duration(i) * time.Second); !s.At.Equal(want) {
			t.Errorf("sample %d is of %s", i, s.At)
		}
	}
}

func TestOpenIntents(t *testing.T) {
	intent := func(f, id string) Event { return Event{Payload: &FaultIntent{Fault: f, Container: Ref{ID: id}}} }
	seen := func(f, id string) Event { return Event{Payload: &FaultVerified{Fault: f, Container: Ref{ID: id}}} }
	undone := func(f, id string) Event { return Event{Payload: &UndoVerified{Fault: f, Container: Ref{ID: id}}} }
	for name, tt := range map[string]struct {
		events []Event
		want   string
	}{
		"none":                    {nil, ""},
		"newest first":            {[]Event{intent("a", "1"), intent("b", "1"), intent("a", "2")}, "a2 b1 a1"},
		"undone":                  {[]Event{intent("a", "1"), intent("a", "2"), undone("a", "1")}, "a2"},
		"a failed undo is open":   {[]Event{intent("a", "1"), {Payload: &UndoFailed{Fault: "a", Container: Ref{ID: "1"}}}}, "a1"},
		"another fault's undo":    {[]Event{intent("a", "1"), undone("b", "1")}, "a1"},
		"undone, then done again": {[]Event{intent("a", "1"), undone("a", "1"), intent("a", "1")}, "a1"},
		"its effect was seen":     {[]Event{intent("a", "1"), intent("b", "1"), intent("a", "2"), seen("a", "1")}, "a2 b1 a1!"},
		"seen in an earlier life": {[]Event{intent("a", "1"), seen("a", "1"), intent("a", "1")}, "a1"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range OpenIntents(tt.events) {
				text := p.Fault + p.Container.ID
				if p.EffectSeen {
					text += "!"
				}
				got = append(got, text)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("open are %v", got)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	whole := journalBytes(f, 2)
	f.Add(whole, sampleBytes(f, 2))
	f.Add(whole[:len(whole)-7], []byte("{}\n{}\nnull\n[]"))
	f.Add([]byte("{\"seq\":9223372036854775807,\"kind\":\"run.started\",\"data\":{}}\n"+string(whole)), []byte{})
	f.Fuzz(func(t *testing.T, journal, samples []byte) {
		dir := runDir(t, journal, map[string][]byte{"Q1": samples})
		rec, err := Read(dir)
		if err != nil {
			return
		}
		rec.Started()
		rec.Ended()
		OpenIntents(rec.Events)
		n := len(rec.Events)
		w, err := Reopen(dir, "recover")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		commit(t, w, &RunEnded{})
		after := read(t, dir)
		if len(after.Events) != n+1 || after.Ended() == nil {
			t.Errorf("%d events, and %d after one more", n, len(after.Events))
		}
	})
}
