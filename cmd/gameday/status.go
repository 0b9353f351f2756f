package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"gameday/runner"
	"gameday/runner/journal"
)

// A display shows a run while it goes on: on a terminal the events scroll above one status block, elsewhere every event is a line
// with its time.
type display struct {
	w             io.Writer
	terminal      bool
	color         bool
	width, height func() int

	mu     sync.Mutex
	judged judgedIn
	sham   bool     // the run injects nothing
	block  []string // as it is on the screen
	told   bool     // something was said about a signal, which the event that follows would say again
	prompt *prompt  // nil: nothing can be typed
	status func() runner.Status
	done   chan struct{}
	wg     sync.WaitGroup
}

// start begins to draw. status is asked some times a second.
func (d *display) start(status func() runner.Status) {
	d.done = make(chan struct{})
	d.status = status
	if !d.terminal {
		return
	}
	d.wg.Go(func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-d.done:
				return
			case <-tick.C:
				s := status()
				d.mu.Lock()
				d.put("", d.lines(s))
				d.mu.Unlock()
			}
		}
	})
}

// stop ends drawing and takes the block away.
func (d *display) stop() {
	if d.done == nil {
		return
	}
	close(d.done)
	d.wg.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put("", nil)
	d.done = nil
}

// event shows one event.
func (d *display) event(e journal.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p, ok := e.Payload.(*journal.Declared); ok {
		d.judged = judgedPhases(p)
	}
	if p, ok := e.Payload.(*journal.Stopping); ok && p.Why == journal.UndoInterrupted && d.terminal && d.told {
		return
	}
	text := oneLine(line(e, d.judged))
	switch p := e.Payload.(type) {
	case *journal.RunStarted:
		d.sham = p.Sham
	case *journal.PhaseStarted:
		if d.sham && p.Phase != journal.Baseline {
			text = string(p.Phase) + ": watching on; nothing is injected"
		}
	}
	if text == "" {
		return
	}
	if !d.terminal {
		fmt.Fprintf(d.w, "%s %s\n", e.Time.UTC().Format("2006-01-02T15:04:05.000Z"), text)
		return
	}
	clock := e.Time.UTC().Format("15:04:05") + "  "
	text = wrap(text, d.width()-len(clock)-1, strings.Repeat(" ", len(clock)))
	d.put(d.dim(clock)+d.tint(e, text)+"\n", d.block)
}

// typed takes what is typed while the run goes on. Only the keyboard calls it, one at a time; saving takes a moment, and the block goes on
// meanwhile.
func (d *display) typed(b []byte) {
	s := d.status()
	d.mu.Lock()
	p := *d.prompt
	d.mu.Unlock()
	p.text = slices.Clone(p.text) // the old one may be being drawn
	changed := p.take(b, s)
	told := p.told
	p.told = nil
	d.mu.Lock()
	defer d.mu.Unlock()
	*d.prompt = p
	if !changed {
		return
	}
	var above strings.Builder
	for _, line := range told {
		clock := time.Now().UTC().Format("15:04:05") + "  "
		above.WriteString(d.dim(clock) + wrap(line, d.width()-len(clock)-1, strings.Repeat(" ", len(clock))) + "\n")
	}
	d.put(above.String(), d.lines(s))
}

// say shows a line of talk.
func (d *display) say(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = true
	d.put(text+"\n", d.block)
}

// put writes text above the block, and the block anew, in one go: whatever has not changed stays as it is on the screen.
func (d *display) put(above string, block []string) {
	if above == "" && slices.Equal(block, d.block) {
		return
	}
	var b strings.Builder
	if n := len(d.block); n > 0 {
		fmt.Fprintf(&b, "\r\x1b[%dA", n) // what was typed may have moved the cursor to the right
	}
	if above != "" {
		b.WriteString("\x1b[J" + above)
	}
	if len(block) > 0 {
		// A line that turns out wider than was counted is cut by the terminal: a block that wraps could not be redrawn in its place.
		b.WriteString("\x1b[?7l")
		for _, l := range block {
			b.WriteString(d.paint(l) + "\x1b[K\n")
		}
		b.WriteString("\x1b[?7h")
	}
	if len(d.block) > 0 {
		b.WriteString("\x1b[J")
	}
	d.block = block
	io.WriteString(d.w, b.String())
}

// A row of the block: what stands where.
type row struct{ state, name, value, note string }

// lines are the block for a status: no wider and no higher than the screen, with its columns aligned.
func (d *display) lines(s runner.Status) []string {
	var rows []row
	for _, f := range s.Faults {
		rows = append(rows, faultRow(f))
	}
	for _, q := range s.Queries {
		rows = append(rows, queryRow(q, s.Phase, d.judged))
	}
	for _, a := range s.Alerts {
		rows = append(rows, alertRow(a))
	}
	for _, st := range s.Steps {
		rows = append(rows, stepRow(st))
	}
	below := d.prompt.lines(d.width())
	out := []string{"", head(s, d.prompt.keys(s))}
	hidden := 0
	if room := d.height() - len(out) - len(below) - 2; len(rows) > room {
		hidden = len(rows) - max(room, 0)
		rows = rows[:len(rows)-hidden]
	}
	// The usual states and values fit from the start, so that columns seldom move.
	state, name, value := len("not judged"), 0, len("0.01234")
	for _, r := range rows {
		state, name = max(state, utf8.RuneCountInString(r.state)), max(name, utf8.RuneCountInString(r.name))
		if r.note != "" {
			value = max(value, utf8.RuneCountInString(r.value))
		}
	}
	for _, r := range rows {
		l := fmt.Sprintf("  %s %-*s  %-*s  %-*s  %s", mark(r.state), state, r.state, name, r.name, value, r.value, r.note)
		out = append(out, strings.TrimRight(l, " "))
	}
	if hidden > 0 {
		out = append(out, fmt.Sprintf("    … and %d more", hidden))
	}
	out = append(out, below...)
	for i := range out {
		out[i] = cut(out[i], d.width()-1)
	}
	return out
}

func head(s runner.Status, keys string) string {
	phase := string(s.Phase)
	if phase == "" {
		phase = "getting ready"
	}
	h := fmt.Sprintf("%s: %s", oneLine(s.Scenario), phase)
	if s.Stopping != "" {
		return h + "; stopping: " + oneLine(s.Stopping)
	}
	if !s.PhaseEnds.IsZero() && s.Phase != "" {
		h += ", " + left(time.Until(s.PhaseEnds)) + " left"
	}
	return h + "   (Ctrl-C undoes everything" + keys + ")"
}

func stepRow(st runner.StepStatus) row {
	r := row{state: string(st.State), name: "manual." + oneLine(st.Name), note: oneLine(st.Instructions)}
	if st.Who != "" {
		r.value = "for " + oneLine(st.Who)
	}
	if until := time.Until(st.Until); !st.Until.IsZero() && until > 0 {
		in := "in " + left(until)
		if st.State == runner.StepWaiting {
			in = left(until) + " left"
		}
		r.value = strings.TrimPrefix(r.value+", "+in, ", ")
	}
	if r.value == "" {
		r.value = "-"
	}
	return r
}

func faultRow(f runner.FaultStatus) row {
	r := row{state: string(f.State), name: "fault." + oneLine(f.Name), value: oneLine(f.Kind + " on " + f.Container)}
	switch f.State {
	case runner.FaultPlanned:
		if until := time.Until(f.Until); !f.Until.IsZero() && until > 0 {
			r.value += ", in " + left(until)
		}
	case runner.FaultInForce:
		r.value += ", " + left(time.Until(f.Until)) + " left"
	}
	return r
}

func queryRow(q runner.QueryStatus, phase journal.Phase, judged judgedIn) row {
	r := row{state: string(q.State), name: oneLine(q.Name), value: "-", note: "expect " + oneLine(q.Expect)}
	if q.Guardrail {
		r.note = "aborts when " + oneLine(q.Expect)
	}
	if q.Point != nil {
		r.value = number(q.Point.Value)
	}
	switch {
	case q.Guardrail && q.Refuted:
		r.state = "tripped"
	case q.Guardrail && q.State == journal.Holding:
		r.state = "quiet"
	case q.Refuted:
		r.state = "refuted"
	case !q.Guardrail && q.State == journal.Violated && !judged.in(q.Name, phase):
		r.state = "not judged"
	case q.State == journal.Violated && phase == journal.Recovery:
		r.state = "not yet"
	}
	if q.State == journal.NoData && q.Detail != "" {
		r.note += "; " + oneLine(q.Detail)
	}
	return r
}

// mark tells states apart without colour.
func mark(state string) string {
	switch state {
	case "holding", "undone", "quiet", "confirmed":
		return "+"
	case "violated", "refuted", "tripped", "NOT UNDONE", "not injected":
		return "!"
	case "in force", "injecting", "undoing", "pending", "firing", "waiting":
		return "*"
	case "no data", "not yet", "unknown", "timed out":
		return "?"
	}
	return "."
}

const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	faint  = "\x1b[2m"
	reset  = "\x1b[0m"
)

// paint colours a line of the block by its mark.
func (d *display) paint(l string) string {
	t := strings.TrimLeft(l, " ")
	if !d.color || t == "" || len(t) == len(l) {
		return l
	}
	colour := map[byte]string{'+': green, '!': red, '*': yellow, '?': yellow}[t[0]]
	if colour == "" {
		return l
	}
	return colour + l + reset
}

func (d *display) tint(e journal.Event, text string) string {
	if !d.color {
		return text
	}
	switch p := e.Payload.(type) {
	case *journal.FaultVerified, *journal.FaultEndedEarly, *journal.AlertChanged, *journal.AlertRouted:
		return yellow + text + reset
	case *journal.FaultNotInjected, *journal.UndoFailed, *journal.GuardrailState:
		return red + text + reset
	case *journal.BaselineJudged:
		return red + text + reset
	case *journal.UndoVerified:
		return green + text + reset
	case *journal.AlertJudged:
		switch p.Verdict {
		case journal.Held:
			return green + text + reset
		case journal.Refuted:
			return red + text + reset
		}
		return yellow + text + reset
	case *journal.HypothesisState:
		switch {
		case p.To == journal.Holding:
			return green + text + reset
		case p.To == journal.Violated && (p.Phase == journal.Recovery || !d.judged.in(p.Hypothesis, p.Phase)):
			return yellow + text + reset
		}
		return red + text + reset
	}
	return text
}

func (d *display) dim(s string) string {
	if !d.color {
		return s
	}
	return faint + s + reset
}

// oneLine keeps what comes from outside from drawing over the screen.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return visible(r)
	}, s)
}

// clean does the same for a text of several lines.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, s)
}

// visible drops control characters, and those that change the direction of what follows.
func visible(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
		return -1
	}
	return r
}

// wrap breaks text at spaces, so that no line is wider than width; a longer word, such as a path, stays whole. indent goes before
// every line but the first.
func wrap(text string, width int, indent string) string {
	var out strings.Builder
	used := 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case used == 0:
		case used+1+n > width:
			out.WriteString("\n" + indent)
			used = 0
		default:
			out.WriteByte(' ')
			used++
		}
		out.WriteString(word)
		used += n
	}
	return out.String()
}

// cut shortens a line to a width.
func cut(s string, width int) string {
	if width < 1 || utf8.RuneCountInString(s) <= width {
		return s
	}
	r := []rune(s)
	return string(r[:width-1]) + "…"
}
