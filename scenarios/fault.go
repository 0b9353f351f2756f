package scenarios

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

var faultArguments = []string{"target", "description", "start", "after", "duration"}

// A faultBlock is a fault while its scenario is read.
type faultBlock struct {
	*Fault
	block *block
}

// faults reads the faults of a scenario: names first, so that `after` may name a later one.
func (b *block) faults(s *Scenario) []faultBlock {
	l := b.l
	var read []faultBlock
	seen := map[string]hcl.Range{}
	byName := map[string]*Fault{}
	for _, hb := range b.blocks.OfType("fault") {
		kind, name := hb.Labels[0], hb.Labels[1]
		path := b.path + ", " + blockName(hb)
		ok := l.unique("fault", hb, path, seen)
		if ok {
			byName[name] = &Fault{Kind: kind, Name: name, Range: toRange(hb.DefRange)}
		}
		info, built := builtKind(kind)
		if !built {
			l.failKind(hb, path)
			continue
		}
		if !ok {
			continue
		}
		schema := &hcl.BodySchema{Attributes: attributes(append(kindArguments(), faultArguments...)...)}
		fb := l.open(hb, b.path, schema, info.foreign()...)
		f := byName[name]
		fb.fault(f, info)
		s.Faults = append(s.Faults, f)
		read = append(read, faultBlock{Fault: f, block: fb})
	}
	for _, f := range read {
		if name, ok := f.block.reference("after", "fault", sortedKeys(byName)); ok {
			f.After = byName[name]
		}
	}
	failCircles(read)
	return read
}

// failKind reports a kind of fault that cannot be done.
func (l *loader) failKind(hb *hcl.Block, path string) {
	kind, at := hb.Labels[0], hb.LabelRanges[0]
	if contains(laterKinds, kind) {
		l.fail(at, path, "Fault kind not built yet", fmt.Sprintf(
			"%q is part of the language, but this version cannot do it. Leave the block out for now.", kind))
		return
	}
	l.fail(at, path, "Unknown fault kind", fmt.Sprintf("There is no kind of fault %q. %s", clipped(kind),
		didYouMean(kind, "", append(builtNames(), laterKinds...))))
}

func (b *block) fault(f *Fault, info KindInfo) {
	l := b.l
	f.Description, _ = b.str("description")
	if b.need("target", "the containers that the fault is for, such as target.name") {
		if name, ok := b.reference("target", "target", sortedKeys(l.targets)); ok {
			f.Target = l.targets[name]
		}
	}
	f.Start, _ = b.duration("start", 0)
	if !info.DurationRequired || b.need("duration", "how long the fault holds, such as \"30s\"") {
		f.Duration, _ = b.duration("duration", time.Nanosecond)
	}
	f.Args = map[string]any{}
	for _, a := range info.Args {
		if v, ok := b.argument(a); ok {
			f.ArgNames = append(f.ArgNames, a.Name)
			f.Args[a.Name] = v
		}
	}
	b.checkArguments(f)
	for _, name := range info.foreign() {
		if a := b.attrs[name]; a != nil {
			l.fail(a.NameRange, b.path, "Unsupported argument", fmt.Sprintf("%q is an argument of %s, not of %s. Leave it out.",
				name, inWords(kindsWith(name), "and"), info.Name))
		}
	}
}

// failCircles reports every circle of `after` once, and opens it.
func failCircles(faults []faultBlock) {
	blocks := map[*Fault]*block{}
	for _, f := range faults {
		blocks[f.Fault] = f.block
	}
	done := map[*Fault]bool{}
	for _, f := range faults {
		var chain []*Fault
		index := map[*Fault]int{}
		for g := f.Fault; g != nil && !done[g]; g = g.After {
			if i, again := index[g]; again {
				var names []string
				for _, c := range append(chain[i:], g) {
					names = append(names, "fault."+c.Name)
				}
				blocks[g].failAt("after", "Faults in a circle", fmt.Sprintf(
					"%s: each waits for the end of the next, so none could start. Let one of them start by itself.", strings.Join(names, " → ")))
				g.After = nil
				break
			}
			index[g] = len(chain)
			chain = append(chain, g)
		}
		for _, c := range chain {
			done[c] = true
		}
	}
}

// end is when a fault's effect ends, from the end of the baseline. One without a duration counts as a moment.
func (f *Fault) end() time.Duration {
	at := time.Duration(0)
	for g := f; g != nil; g = g.After {
		at += g.Start + g.Duration
	}
	return at
}

// checkRadius compares the faults with the blast radius.
func (b *block) checkRadius(s *Scenario, faults []faultBlock, radius *block) {
	if radius == nil {
		return
	}
	var last time.Duration
	for _, f := range faults {
		last = max(last, f.end())
		for _, t := range s.BlastRadius.Protect {
			if t == f.Target {
				f.block.failAt("target", "Protected target", fmt.Sprintf(
					"The blast radius protects target.%s, at %s line %d, so no fault may be for it. Choose another target, or take it from protect.",
					t.Name, s.BlastRadius.Range.File, s.BlastRadius.Range.Line))
			}
		}
	}
	if m := s.BlastRadius.MaxDuration; m > 0 && last > m {
		radius.failAt("max_duration", "Schedule longer than max_duration", fmt.Sprintf(
			"The last fault ends %s after the baseline, but max_duration is %s. Raise it, or make the faults shorter.", inUnits(last), inUnits(m)))
	}
}
