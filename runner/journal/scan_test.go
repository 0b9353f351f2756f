package journal

import (
	"bytes"
	"encoding/json"
	"testing"
)

// The quick way of reading samples reads what encoding/json reads, also after other lines, and leaves alone what it refuses.
func FuzzSampleScanner(f *testing.F) {
	full := `{"at":"2026-11-22T10:04:32Z","phase":"baseline","took":"4ms","state":"holding","series":[{"labels":{"code":"500","job":"shop"},"value":0.25,"ok":true,"op":"<","bound":0.5},{"value":-1e-7,"ok":false}]}`
	for _, line := range []string{
		full,
		`{"at":"2026-11-22T10:04:32.123456789Z","phase":"fault","took":"1.5s","state":"no data","error":"it \"failed\""}`,
		`{"at":"2026-11-22T10:04:32Z","phase":"fault","took":"0s","state":"holding"}`,
		`{"at":"2026-11-22T10:04:32+01:00","phase":"fault","took":"0s","state":"holding"}`,
		`{"at":"2026-11-22T10:04:32,5Z","phase":"fault","took":"0s","state":"holding"}`,
		`{"at":"2026-11-22T1:04:32Z","phase":"fault","took":"0s","state":"holding"}`,
		`{"at":"2026-11-22T10:04:32Z","phase":"fault","took":"0s","state":"holding","series":[{"labels":{"a":"é\n"},"value":"NaN","ok":true,"bound":"+Inf"}]}`,
		`{"at":"2026-11-22T10:04:32Z","phase":"fault","took":"0s","state":"holding","series":[{"labels":{"a":"b"},"value":01,"ok":true}]}`,
		`{"at":"2026-11-22T10:04:32Z","phase":"fault","took":"0s","state":"holding","series":[{"labels":{},"value":1e999,"ok":true}]}`,
		`{"at":"2026-11-22T10:04:32Z","phase":"fault","took":"0s","state":"holding","series":[]}`,
		`{"at":"2026-11-22T10:04:32Z","phase":"fault","took":"0s","state":"holding","series":[{"labels":null,"value":-0,"ok":true}]}`,
		full + " ", full[:len(full)-1], "null", "",
	} {
		f.Add([]byte(line), []byte(full))
		f.Add([]byte(full), []byte(line))
	}
	f.Fuzz(func(t *testing.T, before, line []byte) {
		var c sampleScanner
		c.read(before)
		got, gotErr := c.read(line)
		var want Sample
		wantErr := json.Unmarshal(line, &want)
		if (gotErr == nil) != (wantErr == nil) {
			t.Fatalf("%q is read with the error %v, want %v", line, gotErr, wantErr)
		}
		if wantErr != nil {
			return
		}
		g, gotErr := json.Marshal(got) // as JSON, where NaN is what it is
		w, wantErr := json.Marshal(want)
		if gotErr != nil || wantErr != nil || !bytes.Equal(g, w) {
			t.Fatalf("%q is read as\n%s, want\n%s", line, g, w)
		}
	})
}

// What the writer sets is read in the quick way.
func TestSamplesAreScanned(t *testing.T) {
	for _, s := range []Sample{
		{Phase: Fault, State: Holding, Series: []SeriesValue{{Labels: map[string]string{"a": "b"}, Value: 0.5, OK: true, Op: "<", Bound: new(Number)}, {Value: 1e21}}},
		{Phase: Baseline, State: NoData},
	} {
		line, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var c sampleScanner
		if _, ok := c.scan(line); !ok {
			t.Errorf("%s is not read in the quick way", line)
		}
	}
}
