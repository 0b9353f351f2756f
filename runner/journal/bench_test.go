package journal

import "testing"

func BenchmarkAppend(b *testing.B) {
	w := create(b)
	p := &HypothesisState{Hypothesis: "checkout_keeps_working", QueryID: "Q1", Phase: Fault, From: Holding, To: Violated}
	for b.Loop() {
		if _, err := w.Append(p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead reads a run of an hour: 1,000 faults and 3,600 samples.
func BenchmarkRead(b *testing.B) {
	dir := runDir(b, journalBytes(b, 1000), map[string][]byte{"Q1": sampleBytes(b, 3600)})
	for b.Loop() {
		read(b, dir)
	}
}
