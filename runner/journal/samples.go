package journal

import "time"

// A Query is what one query returned during a run: samples/<ID>.jsonl, whose first line is the query's own data and each
// further line one Sample.
type Query struct {
	ID      string   `json:"id"`      // "Q1"
	Purpose string   `json:"purpose"` // "hypothesis" or "guardrail"
	Name    string   `json:"name"`    // of that hypothesis or guardrail
	Text    string   `json:"query"`
	Every   Duration `json:"every"`
	Samples []Sample `json:"-"` // in the order of their evaluation times
}

// A Sample is one evaluation of a query.
type Sample struct {
	At     time.Time     `json:"at"` // evaluation time, not the time at which the answer came
	Phase  Phase         `json:"phase"`
	Took   Duration      `json:"took"`
	State  State         `json:"state"` // for a guardrail, Violated means that abort_when was true
	Series []SeriesValue `json:"series,omitempty"`
	Error  string        `json:"error,omitempty"` // why there is no data, verbatim
	Age    Duration      `json:"age,omitempty"`   // of what the query read as it was then; 0: it was not asked for, or there was nothing; less: it was not told
}

// A SeriesValue is one series of a sample, with what the condition said of it.
type SeriesValue struct {
	Labels map[string]string `json:"labels,omitempty"`
	Value  Number            `json:"value"`
	OK     bool              `json:"ok"` // expect holds; for a guardrail: abort_when is false
	Op     string            `json:"op,omitempty"`
	Bound  *Number           `json:"bound,omitempty"` // nil where the condition is not one comparison
}
