package report

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"gameday/runner/journal"
)

// A spot is one value of a phrase, deep inside it perhaps, and how to put another there.
type spot struct {
	v   Value
	set func(Value) []Value // the arguments of the phrase with another value here
}

// places are all values of a list of arguments that are no lists of values themselves.
func valuesIn(args []Value) []spot {
	var out []spot
	for i, v := range args {
		with := func(x Value) []Value {
			c := slices.Clone(args)
			c[i] = x
			return c
		}
		switch v := v.(type) {
		case List:
			for _, p := range valuesIn(v) {
				out = append(out, spot{p.v, func(x Value) []Value { return with(List(p.set(x))) }})
			}
		case Inner:
			for _, p := range valuesIn(v.Args) {
				out = append(out, spot{p.v, func(x Value) []Value { return with(Inner{v.Template, p.set(x)}) }})
			}
		default:
			out = append(out, spot{v, with})
		}
	}
	return out
}

// mutants are values of the same kind that are near a value and are not it.
func mutants(v Value) []Value {
	num := func(f float64) []float64 {
		return []float64{f*1.1 + 0.01, f*0.9 - 0.01, f + 1}
	}
	var out []Value
	add := func(v ...Value) { out = append(out, v...) }
	second := time.Second
	switch v := v.(type) {
	case Count:
		add(Count{v.N + 1, v.Of}, Count{v.N * 2, v.Of})
	case Tally:
		add(append(slices.Clone(v), v[0]), append(slices.Clone(v), "something"))
	case Place:
		add(v+1, v*2)
	case Num:
		for _, f := range num(float64(v)) {
			add(Num(f))
		}
	case Percent:
		for _, f := range num(float64(v)) {
			add(Percent(f))
		}
	case DoubledPercent:
		add(v*0.9, v+1)
	case Bytes:
		add(v+1<<20, v*2)
	case Seed:
		add(v+1, v*2)
	case Dur:
		add(v+Dur(second), v*2, v-Dur(second))
	case Span:
		add(Span{v.From, v.To.Add(second), v.Latest}, Span{v.From.Add(second), v.To, v.Latest})
	case Doubled:
		add(v+Doubled(second), v*2)
	case At:
		add(At(time.Time(v).Add(second)), At(time.Time(v).Add(-second)))
	case By:
		add(By(time.Time(v).Add(second)), By(time.Time(v).Add(-second)))
	case Exact:
		add(Exact(time.Time(v).Add(second)), Exact(time.Time(v).Add(-second)))
	case TimeOfDay:
		add(TimeOfDay(time.Time(v).Add(second)), TimeOfDay(time.Time(v).Add(-second)))
	case Since:
		add(Since(time.Time(v).Add(second)), Since(time.Time(v).Add(-second)))
	case Date:
		add(Date(time.Time(v).Add(24 * time.Hour)))
	case Days:
		add(Days{v.From, v.To.Add(24 * time.Hour)})
	case Between:
		add(Between{v.After, v.First.Add(second)})
		if v.After != nil {
			early := v.After.Add(-second)
			add(Between{&early, v.First})
		}
	case Lasting:
		add(Lasting{v.AtLeast, v.AtMost + second}, Lasting{v.AtLeast + second, v.AtMost + second})
	case Against:
		for _, f := range num(float64(v.Value)) {
			add(Against{journal.Number(f), v.Op, v.Bound, v.Trips})
		}
		if v.Bound != nil {
			b := journal.Number(float64(*v.Bound)*1.1 + 0.01)
			add(Against{v.Value, v.Op, &b, v.Trips})
		}
		if other := map[string]string{"<": ">", ">": "<", "<=": ">=", ">=": "<="}[v.Op]; other != "" {
			add(Against{v.Value, other, v.Bound, v.Trips})
		}
	case Left:
		w := v
		w.Value = v.Value*1.1 + 0.01
		add(w)
	case Halfway:
		w := v
		w.Value = v.Value*1.1 + 0.01
		add(w)
	case Name:
		add(v+"x", Name("shop-nothing-1"))
	case Quote:
		add(v+"x", Quote("nobody said so"))
	case Prose:
		add(v + " x")
	case Command:
		add(v+"x", Command("gameday recover runs/another"))
	case Verdict:
		for _, w := range []journal.Verdict{journal.Held, journal.Refuted, journal.Inconclusive, journal.NotTested} {
			add(Verdict(w))
		}
	case Labels:
		for name, x := range v {
			c := maps.Clone(v)
			c[name] = x + "x"
			add(c)
		}
		c := maps.Clone(v)
		c["more"] = "1"
		add(Labels(c))
	case Elsewhere:
		add(Elsewhere{v.Text, v.URL + "x"})
	}
	return out
}

// The rules would notice a wrong value: of all sentences and cells of all stories one value is changed at a time, to something near or to what
// another sentence of the same draft says of its kind. What is noticed is what the cited evidence does not hold; that a sentence takes another
// value of its own evidence, such as the tolerance of the hypothesis beside it, is what the golden files are read for.
func TestMutants(t *testing.T) {
	const every = 3 // one place in so many, chosen by what stands there
	type score struct{ near, nearCaught, far, farCaught int }
	by := map[string]*score{}
	all := &score{}
	runs := stories()
	for _, story := range slices.Sorted(maps.Keys(runs)) {
		d := Build(runs[story])
		evidence := newReader(d)
		pool := map[string][]Value{}
		phrases(d, func(p Phrase, _ []string) {
			for _, x := range valuesIn(p.Args) {
				pool[kindOf(x.v)] = append(pool[kindOf(x.v)], x.v)
			}
		})
		phrases(d, func(p Phrase, ids []string) {
			text := p.plainText(d.Clock)
			for i, x := range valuesIn(p.Args) {
				h := fnv.New32a()
				fmt.Fprint(h, story, text, i)
				chosen := int(h.Sum32() >> 1)
				kind := kindOf(x.v)
				if chosen%every != 0 || kind == "Word" {
					continue
				}
				if by[kind] == nil {
					by[kind] = &score{}
				}
				try := func(m Value) (differs, caught bool) {
					q := Phrase{p.Template, x.set(m)}
					now := q.plainText(d.Clock)
					return now != text, len(evidence.of(ids).values(d, q.Args, ids)) > 0 || len(unpaired(now)) > 0
				}
				for _, m := range mutants(x.v) {
					if differs, caught := try(m); differs {
						for _, s := range []*score{by[kind], all} {
							s.near++
							if caught {
								s.nearCaught++
							}
						}
					}
				}
				if differs, caught := try(pool[kind][chosen/every%len(pool[kind])]); differs {
					for _, s := range []*score{by[kind], all} {
						s.far++
						if caught {
							s.farCaught++
						}
					}
				}
			}
		})
	}
	share := func(a, b int) float64 { return 100 * float64(a) / float64(max(1, b)) }
	for _, k := range slices.Sorted(maps.Keys(by)) {
		s := by[k]
		t.Logf("%-14s near %5d of %5d (%5.1f %%), another's %5d of %5d (%5.1f %%)", k, s.nearCaught, s.near, share(s.nearCaught, s.near), s.farCaught, s.far, share(s.farCaught, s.far))
	}
	near, far := share(all.nearCaught, all.near), share(all.farCaught, all.far)
	t.Logf("%-14s near %5d of %5d (%5.1f %%), another's %5d of %5d (%5.1f %%)", "all", all.nearCaught, all.near, near, all.farCaught, all.far, far)
	if near < 95 || far < 70 {
		t.Errorf("the rules notice %.1f %% of values that are near, and %.1f %% of those of another sentence; want at least 95 and 70", near, far)
	}
}

// phrases visits all sentences and cells of a draft, with the evidence of each.
func phrases(d *Draft, visit func(p Phrase, ids []string)) {
	for _, s := range d.Sections {
		for _, item := range s.Items {
			for _, x := range sentences(item) {
				visit(x.phrase(), x.Evidence)
			}
			for _, r := range rows(item) {
				for _, c := range r.Cells {
					visit(c, r.Evidence)
				}
			}
		}
	}
}

func kindOf(v Value) string { return strings.TrimPrefix(fmt.Sprintf("%T", v), "report.") }
