package report

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gameday/report/followup"
	"gameday/runner/journal"
)

// A FollowUp is one that people agreed on after a run, with what has become of it since.
type FollowUp struct {
	Run      string            `json:"run"`
	Scenario string            `json:"scenario"`
	Started  time.Time         `json:"started"` // of the run, to the second
	File     string            `json:"file"`
	Line     int               `json:"line"`
	Column   int               `json:"column"`
	Action   string            `json:"action"`
	Owner    string            `json:"owner"`
	Due      string            `json:"due"` // as written
	DueDate  string            `json:"due_date,omitempty"`
	Done     string            `json:"done_when"`
	Ticket   string            `json:"ticket"`
	Decision followup.Decision `json:"decision"`
	Reason   string            `json:"reason,omitempty"` // what stands after the decision
	Proof    string            `json:"proof"`            // the scenario that has to hold
	More     map[string]string `json:"more,omitempty"`   // other columns, by their titles
	State    FollowUpState     `json:"state"`
	By       string            `json:"by,omitempty"`         // the newest run since that decides its proof; of an open one it did not hold, or held and began before this was agreed on
	ByWas    journal.Outcome   `json:"by_outcome,omitempty"` // what that run says of its scenario: held, refuted, aborted or residue
	Age      int               `json:"age_days"`
	Overdue  int               `json:"overdue_days,omitempty"` // of an open one
	Problems []FollowUpProblem `json:"problems,omitempty"`
}

// A FollowUpState is what has become of a follow-up.
type FollowUpState string

// The states of a follow-up.
const (
	FollowUpOpen     FollowUpState = "open"
	FollowUpProven   FollowUpState = "proven"    // the newest run of its proof that decides anything held, and it was agreed on before such a run
	FollowUpDone     FollowUpState = "done"      // people say so
	FollowUpNotDoing FollowUpState = "not doing" // people decided so
)

// A FollowUpProblem is why a follow-up is not one that somebody can be held to.
type FollowUpProblem struct {
	Line   int            `json:"line"`
	Column int            `json:"column"`
	Fault  followup.Fault `json:"fault"`
	What   string         `json:"what"`
}

// FollowUps reads the follow-ups from the drafts of all runs below a directory, as they are on a day: the open ones first, and among them
// the longest overdue, then the oldest. people is the roster, see followup.Check. What cannot be read is told, and keeps nothing else back.
func FollowUps(root string, on time.Time, people []string) ([]FollowUp, []journal.Unread, error) {
	dirs, err := journal.Runs(root)
	if err != nil {
		return nil, nil, err
	}
	var out []FollowUp
	var unread []journal.Unread
	proofs := proofRuns{dirs: dirs}
	for _, dir := range dirs {
		path := filepath.Join(dir, "report.md")
		src, err := readDraft(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			unread = append(unread, journal.Unread{Run: filepath.Base(dir), File: "report.md", Why: pathless(err).Error()})
			continue
		}
		for _, f := range followup.Parse(peoplesText(src)) {
			if x := newFollowUp(dir, path, f, people); x.Action != "" || len(x.Problems) > 0 {
				x.prove(&proofs)
				x.age(on)
				out = append(out, x)
			}
		}
	}
	open := func(f FollowUp) int {
		if f.State == FollowUpOpen {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b FollowUp) int {
		return cmp.Or(cmp.Compare(open(a), open(b)), cmp.Compare(b.Overdue, a.Overdue), cmp.Compare(a.Run, b.Run), cmp.Compare(a.Line, b.Line))
	})
	return out, unread, nil
}

// OpenFollowUps is what a new run records: what is open after all earlier ones, the oldest first.
func OpenFollowUps(root string) ([]journal.OpenFollowUp, []journal.Unread) {
	all, unread, err := FollowUps(root, time.Time{}, nil)
	if err != nil {
		return nil, []journal.Unread{{Why: pathless(err).Error()}}
	}
	var out []journal.OpenFollowUp
	for _, f := range all {
		if f.State == FollowUpOpen && f.Action != "" {
			out = append(out, journal.OpenFollowUp{Run: f.Run, Scenario: f.Scenario, Started: f.Started, Line: f.Line, Action: f.Action, Owner: f.Owner, Due: f.Due,
				Done: f.Done, Ticket: f.Ticket, Decision: string(f.Decision), Proof: f.Proof})
		}
	}
	return out, unread
}

func newFollowUp(dir, path string, f followup.FollowUp, people []string) FollowUp {
	out := FollowUp{Run: filepath.Base(dir), File: path, Line: f.Place().Line, Column: f.Place().Column, Action: filled(f.Action), Owner: filled(f.Owner), Due: filled(f.Due), Done: filled(f.Done),
		Ticket: filled(f.Ticket), Proof: filled(f.Proof), State: FollowUpOpen}
	out.Started, out.Scenario, _ = journal.ParseID(out.Run)
	if due, ok := f.DueDate(); ok {
		out.DueDate = due.Format(time.DateOnly)
	}
	switch out.Decision, out.Reason = f.Decided(); out.Decision {
	case followup.Done:
		out.State = FollowUpDone
	case followup.NotDoing:
		out.State = FollowUpNotDoing
	}
	if name := f.ProofScenario(); name != "" {
		out.Proof = name
	}
	for _, m := range f.More {
		if m.Name != "" && !m.Cell.Blank() {
			if out.More == nil {
				out.More = map[string]string{}
			}
			out.More[m.Name] = m.Cell.Text
		}
	}
	for _, p := range followup.Check(f, people) {
		out.Problems = append(out.Problems, FollowUpProblem{p.Cell.Line, p.Cell.Column, p.Fault, p.What})
	}
	slices.SortStableFunc(out.Problems, func(a, b FollowUpProblem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return out
}

func filled(c followup.Cell) string {
	if c.Blank() {
		return ""
	}
	return c.Text
}

const day = 24 * time.Hour

// age counts the days since the run and, of an open one, since it was due.
func (f *FollowUp) age(on time.Time) {
	if on.IsZero() {
		return
	}
	on = on.UTC().Truncate(day)
	f.Age = max(0, int(on.Sub(f.Started.Truncate(day))/day))
	if due, err := time.Parse(time.DateOnly, f.DueDate); err == nil && f.State == FollowUpOpen {
		f.Overdue = max(0, int(on.Sub(due)/day))
	}
}

// mostDraft is how many bytes of a draft are read: more than any draft has that people can read.
const mostDraft = 64 << 20

// readDraft reads a report.md that may be anything.
func readDraft(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostDraft+1))
	if err == nil && len(b) > mostDraft {
		err = errors.New("it is too large for a draft")
	}
	return b, err
}

// pathless is an error without the path, which is another one on every machine.
func pathless(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// peoplesText blanks the blocks of a report.md that the machine wrote and nobody edited, and keeps every line where it is. What cannot
// be read as a draft is people's altogether.
func peoplesText(content []byte) []byte {
	chunks, _, _, err := parse(string(content))
	if err != nil {
		return content
	}
	var out bytes.Buffer
	for _, c := range chunks {
		switch {
		case c.block == nil:
			out.WriteString(c.text)
		case c.id == "":
			out.WriteString(c.marker)
		case c.block.edited():
			out.WriteString(c.String())
		default:
			out.WriteString(strings.Repeat("\n", strings.Count(c.String(), "\n")))
		}
	}
	return out.Bytes()
}
