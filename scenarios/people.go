package scenarios

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

var (
	observerSchema = &hcl.BodySchema{Attributes: attributes("description", "watches")}
	manualSchema   = &hcl.BodySchema{Attributes: attributes("instructions", "who", "before", "start", "after", "timeout", "confirm")}
)

// beforeInjection is what `before` says of a step that the injection waits for.
const beforeInjection = "injection"

// observers reads who watches.
func (b *block) observers(s *Scenario) {
	l := b.l
	seen := map[string]hcl.Range{}
	var hypotheses []string
	for _, h := range s.Hypotheses {
		hypotheses = append(hypotheses, h.Name)
	}
	for _, hb := range b.blocks.OfType("observer") {
		ob := l.open(hb, b.path, observerSchema)
		if !l.unique("observer", hb, ob.path, seen) {
			continue
		}
		o := &Observer{Name: hb.Labels[0], Range: toRange(hb.DefRange)}
		o.Description, _ = ob.str("description")
		o.Watches = ob.watches(hypotheses)
		s.Observers = append(s.Observers, o)
	}
}

// watches reads what an observer looks at: hypotheses, and whatever else, in words.
func (b *block) watches(hypotheses []string) []string {
	a := b.attrs["watches"]
	if a == nil {
		return nil
	}
	exprs, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() {
		b.failAt("watches", "Wrong type", `"watches" is a list of hypotheses and texts: [hypothesis.name, "the board in the hall"].`)
		return nil
	}
	var out []string
	for _, e := range exprs {
		if text := literalText(nativeExpression(e)); text != "" {
			out = append(out, text)
			continue
		}
		if t, diags := hcl.AbsTraversalForExpr(nativeExpression(e)); !diags.HasErrors() && t.RootName() != "var" && t.RootName() != "local" {
			if name, ok := b.l.refer(e, b.path, "hypothesis", hypotheses); ok {
				out = append(out, name)
			}
			continue
		}
		if v, _, ok := b.l.plain(e, b.path, "watches", false); ok {
			if v.Type() == cty.String && v.AsString() != "" {
				out = append(out, v.AsString())
				continue
			}
			b.l.fail(e.Range(), b.path, "Wrong type", `"watches" is a list of hypotheses and texts: [hypothesis.name, "the board in the hall"].`)
		}
	}
	return out
}

// manuals reads the steps of people. The faults have been read.
func (b *block) manuals(s *Scenario) {
	l := b.l
	seen := map[string]hcl.Range{}
	observers, faults := map[string]*Observer{}, map[string]*Fault{}
	for _, o := range s.Observers {
		observers[o.Name] = o
	}
	for _, f := range s.Faults {
		faults[f.Name] = f
	}
	var last time.Duration
	for _, f := range s.Faults {
		if !circular(f) {
			last = max(last, f.end())
		}
	}
	for _, hb := range b.blocks.OfType("manual") {
		mb := l.open(hb, b.path, manualSchema)
		if !l.unique("manual", hb, mb.path, seen) {
			continue
		}
		m := &Manual{Name: hb.Labels[0], Range: toRange(hb.DefRange), Confirm: true}
		if mb.need("instructions", "what a person is to do, in a sentence or a few") {
			m.Instructions, _ = mb.str("instructions")
		}
		if name, ok := mb.reference("who", "observer", sortedKeys(observers)); ok {
			m.Who = observers[name]
		}
		if confirm, ok := mb.boolean("confirm"); ok {
			m.Confirm = confirm
		}
		m.Timeout, _ = mb.duration("timeout", time.Second)
		mb.placed(m, faults, last+s.Recovery)
		s.Manual = append(s.Manual, m)
	}
}

// placed reads when a step is due.
func (b *block) placed(m *Manual, faults map[string]*Fault, end time.Duration) {
	l := b.l
	wrong := len(l.diags)
	if b.has("before") {
		m.Before = b.one("before", "", beforeInjection) == beforeInjection
	}
	m.Start, _ = b.duration("start", 0)
	if name, ok := b.reference("after", "fault", sortedKeys(faults)); ok {
		m.After = faults[name]
	}
	timed := "after"
	if b.has("start") {
		timed = "start"
	}
	switch {
	case len(l.diags) > wrong:
	case !b.has("before") && !b.has("start") && !b.has("after"):
		l.fail(b.missing, b.path, "Missing time", `Say when the step is due: before = "injection", start = "10s" (counted from the end of the baseline), or after = fault.name.`)
	case m.Before && (b.has("start") || b.has("after")):
		l.fail(b.attrs[timed].NameRange, b.path, "Two times", fmt.Sprintf(
			`With before = "injection" the step is due when the baseline begins, so %q has no place. Leave one of them out.`, timed))
	case !m.Before && !circular(m.After) && m.at() >= end && end > 0:
		l.fail(b.at(timed), b.path, "Step after the end", fmt.Sprintf(
			"The step is due %s after the baseline, and the run ends after %s. Let it begin sooner, or make the recovery longer.", inUnits(m.at()), inUnits(end)))
	}
	switch {
	case !m.Confirm && b.has("timeout"):
		l.fail(b.attrs["timeout"].NameRange, b.path, "Timeout without a confirmation", `"timeout" says how long a confirmation is waited for, and this step wants none. Leave it out, or confirm = false.`)
	case m.Before && m.Confirm:
		b.need("timeout", `how long the baseline waits for the confirmation, such as "5m"`)
	}
}

// at is when a step is due, from the end of the baseline.
func (m *Manual) at() time.Duration {
	if m.After == nil {
		return m.Start
	}
	return m.After.end() + m.Start
}

// circular says whether a fault comes after itself; that is reported elsewhere.
func circular(f *Fault) bool {
	seen := map[*Fault]bool{}
	for ; f != nil; f = f.After {
		if seen[f] {
			return true
		}
		seen[f] = true
	}
	return false
}
