package journal

var _ = register[Rejudged]()

// Rejudged marks a record whose verdicts are not those of the run, but come from holding another scenario against what was
// recorded. It never stands in the run's own journal.
type Rejudged struct {
	File    string   `json:"file"`              // the scenario that was applied
	Hash    string   `json:"hash"`              // as in RunStarted
	Changes []string `json:"changes,omitempty"` // what differs from the run's own scenario, in words
	Notes   []string `json:"notes,omitempty"`   // what of it could not be applied, in words
}

// Kind returns "run.rejudged".
func (*Rejudged) Kind() string { return "run.rejudged" }
