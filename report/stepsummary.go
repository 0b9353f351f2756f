package report

import (
	"bytes"
	"fmt"
	"strings"
)

// StepSummary is the run as a short piece of Markdown, as CI systems show it below a job: the outcome, what a person must do, every verdict
// with its margin, and where the draft is. Evidence ids lead into the draft, whose path may be empty.
func (d *Draft) StepSummary(draft string) ([]byte, error) {
	f := d.facts
	if err := d.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "## %s: %s\n\n", f.outcomeTitle(), escapeMarkdown(visible(d.Title)))
	for _, a := range []Alarm{f.residueAlarm(), f.rejudgedAlarm(), f.shamAlarm(), f.cutAlarm()} {
		if len(a.Sentences) > 0 {
			d.summaryItem(&b, a)
		}
	}
	if rows := f.fieldRows(); len(rows) > 0 {
		d.summaryItem(&b, Facts(rows))
	}
	if len(f.hypotheses) > 0 {
		t := Table{Columns: []string{"Hypothesis", "Verdict", "Seen", "Margin"}}
		for _, h := range f.hypotheses {
			t.Rows = append(t.Rows, row(append([]string{h.declared}, h.rests...), words("{}", Name(h.Name)), words("{}", Verdict(h.verdict)), f.observed(h), h.margin()))
		}
		d.summaryItem(&b, t)
	}
	if claimed := f.claimed(); len(claimed) > 0 {
		t := Table{Columns: []string{"Alert", "Verdict", "What it did"}}
		for _, x := range claimed {
			s := f.alertReason(x)
			t.Rows = append(t.Rows, row(s.Evidence, words("{}", Name(x.name)), words("{}", Verdict(x.verdict)), s.phrase()))
		}
		d.summaryItem(&b, t)
	}
	points := Points{}
	for _, s := range f.telling() {
		points = append(points, []Sentence{s})
	}
	d.summaryItem(&b, points)
	if draft != "" {
		fmt.Fprintf(&b, "Draft of the postmortem: %s\n\n", codeSpan(visible(draft), false))
	}
	return b.Bytes(), nil
}

// summaryItem sets an item with its citations as plain ids: what they lead to is in the draft.
func (d *Draft) summaryItem(b *bytes.Buffer, i Item) {
	var one bytes.Buffer
	d.markdownItem(&one, i)
	b.WriteString(strings.TrimLeft(one.String(), "\n"))
}
