package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gameday/runner/journal"
)

// Summary writes the end of a run for a terminal: what a person must do, if anything, then the outcome, a line for each
// hypothesis, and the three most telling lines. width is that of the terminal; below 20 it counts as 80.
func Summary(w io.Writer, d *Draft, color bool, width int) {
	if width < 20 {
		width = 80
	}
	p := &summary{w: w, color: color, width: width, clock: d.Clock}
	f := d.facts
	if f == nil || f.first == "" {
		fmt.Fprintln(w, "The record has no event.")
		return
	}
	for _, a := range []Alarm{f.residueAlarm(), f.cutAlarm()} {
		if len(a.Sentences) == 0 {
			continue
		}
		color := "33"
		if a.Urgent {
			color = "31"
		}
		p.line("! ", color+";1", a.Title)
		for _, s := range a.Sentences {
			p.sentence(color, s.phrase())
		}
		fmt.Fprintln(w)
	}
	p.line("", "1;"+outcomeColor(f.outcome()), f.outcomeTitle()+": "+visible(d.Title))
	for _, h := range f.hypotheses {
		p.line("  "+verdictMark(h.verdict)+" ", verdictColor(h.verdict), visible(h.Name)+": "+string(h.verdict))
		p.line("    ", "", f.observed(h).plainText(d.Clock))
	}
	for _, x := range f.claimed() {
		p.line("  "+verdictMark(x.verdict)+" ", verdictColor(x.verdict), "alert "+visible(x.name)+": "+string(x.verdict))
		p.line("    ", "", f.alertReason(x).phrase().plainText(d.Clock))
	}
	fmt.Fprintln(w)
	for _, s := range f.telling() {
		p.line("  - ", "", s.phrase().plainText(d.Clock))
	}
	if next := f.next(); next != "" {
		fmt.Fprintln(w)
		p.line("Next: ", "", next)
	}
}

type summary struct {
	w     io.Writer
	color bool
	width int
	clock Clock
}

// sentence writes one sentence; a command in it gets a line of its own, which is never broken, so that it can be copied.
func (p *summary) sentence(color string, x Phrase) {
	var text strings.Builder
	var commands []string
	for _, piece := range x.pieces(p.clock) {
		switch piece.style {
		case command:
			commands = append(commands, visible(piece.text))
		case quote:
			text.WriteString("“" + visible(piece.text) + "”")
		default:
			text.WriteString(visible(piece.text))
		}
	}
	p.line("  ", color, strings.TrimSpace(text.String()))
	for _, c := range commands {
		fmt.Fprintf(p.w, "    %s\n", c)
	}
}

// line writes text, broken at spaces, with its prefix and what follows set in as far.
func (p *summary) line(prefix, color, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(prefix))
	for i, part := range wrap(text, p.width-len(indent)) {
		start := prefix
		if i > 0 {
			start = indent
		}
		if p.color && color != "" {
			fmt.Fprintf(p.w, "\x1b[%sm%s%s\x1b[0m\n", color, start, part)
		} else {
			fmt.Fprintf(p.w, "%s%s\n", start, part)
		}
	}
}

// wrap breaks text at spaces; a longer word, such as a command to copy, stays whole.
func wrap(text string, width int) []string {
	var out []string
	line := ""
	for len(text) > 0 {
		word, rest, _ := strings.Cut(text, " ")
		text = rest
		switch {
		case line == "" && len(out) == 0:
			line = word
			if line == "" {
				line = " "
			}
		case line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			out = append(out, strings.TrimRight(line, " "))
			line = word
		default:
			line += " " + word
		}
	}
	return append(out, strings.TrimRight(line, " "))
}

// next is what the outcome asks of the people who read it.
func (f *facts) next() string {
	switch {
	case len(f.residueAlarm().Sentences) > 0:
		return "" // the alarm says it
	case f.ended == nil:
		return "no fault is open in the record; run it again."
	case f.gate != nil && !f.gate.p.Passed:
		return "see why the steady state did not hold before the fault, then run it again."
	}
	if f.sham() && f.outcome() == journal.OutcomeNotInjected {
		return "run it without --sham; what moves then is held against this run."
	}
	switch f.outcome() {
	case journal.OutcomeHeld:
		return "read the draft; then ask what a longer or larger fault would show."
	case journal.OutcomeRefuted:
		return "go through the draft with the people who were there, and decide what should hold."
	case journal.OutcomeInconclusive:
		return "see in the draft what kept this from being decided, then run it again."
	case journal.OutcomeNotInjected:
		return "see in the draft why the fault was not seen, then run it again."
	case journal.OutcomeAborted:
		return "read in the draft what the guardrail saw, before this is run again."
	case journal.OutcomeInterrupted, journal.OutcomeError:
		return "what was not judged needs another run."
	}
	return ""
}

// telling are the three sentences that say most: what was done, what stopped the run or what did not hold, the worst value, and
// how long it took to hold again.
func (f *facts) telling() []Sentence {
	out := f.whatWasDone()
	if f.gate != nil && !f.gate.p.Passed {
		return out[:min(3, len(out))]
	}
	out = append(out[:1:1], f.stopLine()...)
	for _, h := range f.hypotheses {
		if h.verdict != journal.Held {
			out = append(out, f.reasonSentence(h))
			break
		}
	}
	out = append(out, f.worstLine(), f.heldAgainLine())
	return out[:min(3, len(out))]
}

// outcomeTitle is the outcome in the place of a heading.
func (f *facts) outcomeTitle() string {
	if f.ended == nil {
		return "Unfinished"
	}
	if f.sham() {
		return "Sham run, " + outcomeWord(f.outcome())
	}
	return sentenceCase(outcomeWord(f.outcome()))
}

func verdictMark(v journal.Verdict) string {
	switch v {
	case journal.Held:
		return "✓"
	case journal.Refuted:
		return "✗"
	case journal.Inconclusive:
		return "?"
	}
	return "–"
}

func verdictColor(v journal.Verdict) string {
	switch v {
	case journal.Held:
		return "32"
	case journal.Refuted:
		return "35"
	}
	return "33"
}

func outcomeColor(o journal.Outcome) string {
	switch o {
	case journal.OutcomeHeld:
		return "32"
	case journal.OutcomeRefuted:
		return "35"
	case journal.OutcomeResidue, journal.OutcomeError:
		return "31"
	}
	return "33"
}
