package report

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gameday/runner/journal"
)

// known is what pieces of evidence hold, each thing under its kind: a length of time is no difference of two times, and a number of
// samples is no value of a metric.
type known struct {
	times    map[int64]bool // nanoseconds
	spans    []time.Duration
	limits   []Lasting
	between  []Between
	numbers  []float64
	points   []journal.Point
	counts   []int
	lengths  []int // of lists
	texts    []string
	verdicts []journal.Verdict
	labels   []map[string]string
	about    map[string][]string // names of what the evidence is of, by the kind of thing
	things   map[string][]string // names of all that the record tells of, by the kind of thing
	queries  []*journal.Query
}

// A reader knows what pieces of evidence hold, each read once.
type reader struct {
	x    *Index
	each map[string]*known
	last string // stands for what is wrong with the record as well
	rec  *journal.Record
	// names are those of things that evidence may be about, by the kind of thing.
	names map[string][]string
}

func newReader(d *Draft) *reader {
	r := &reader{d.Index, map[string]*known{}, d.facts.last, d.facts.rec, map[string][]string{}}
	for _, e := range d.Index.Events {
		maps.Copy(r.names, merged(r.names, r.of([]string{e.ID}).about))
	}
	for _, q := range d.Index.Queries {
		maps.Copy(r.names, merged(r.names, r.of([]string{q.ID}).about))
	}
	return r
}

func merged(a, b map[string][]string) map[string][]string {
	out := maps.Clone(a)
	if out == nil {
		out = map[string][]string{}
	}
	for k, v := range b {
		out[k] = append(slices.Clone(out[k]), v...)
	}
	return out
}

// of is what several pieces hold together.
func (r *reader) of(ids []string) *known {
	all := &known{times: map[int64]bool{}, things: r.names}
	for _, id := range ids {
		if r.each[id] == nil {
			r.each[id] = knownOf(r.x, id)
			if id == r.last {
				r.each[id].read(reflect.ValueOf(r.rec.Damage), "")
			}
		}
		all.add(r.each[id])
	}
	return all
}

func (k *known) add(o *known) {
	maps.Copy(k.times, o.times)
	k.spans, k.limits, k.between = append(k.spans, o.spans...), append(k.limits, o.limits...), append(k.between, o.between...)
	k.numbers, k.points, k.counts, k.lengths = append(k.numbers, o.numbers...), append(k.points, o.points...), append(k.counts, o.counts...), append(k.lengths, o.lengths...)
	k.texts, k.verdicts, k.labels = append(k.texts, o.texts...), append(k.verdicts, o.verdicts...), append(k.labels, o.labels...)
	k.about, k.queries = merged(k.about, o.about), append(k.queries, o.queries...)
}

func knownOf(x *Index, id string) *known {
	k := &known{times: map[int64]bool{}}
	for _, e := range x.Events {
		if e.ID != id {
			continue
		}
		k.read(reflect.ValueOf(e.Event), "")
		k.texts = append(k.texts, e.Event.ID(), e.Event.Role())
		if e.Event.Payload != nil {
			k.texts = append(k.texts, e.Event.Payload.Kind())
		}
		switch d := e.Event.Payload.(type) {
		case *journal.Declared: // a list that is not there counts as empty
			k.lengths = append(k.lengths, len(d.Hypotheses), len(d.Guardrails), len(d.Faults))
			if slices.ContainsFunc(d.Hypotheses, func(h journal.Hypothesis) bool { return !judgedIn(x, h.Name) }) {
				k.verdicts = append(k.verdicts, journal.Inconclusive) // the record ends before it was judged
			}
			k.about = nil
		case *journal.AlertsDeclared:
			k.lengths = append(k.lengths, len(d.Expected), len(d.Rules))
			if slices.ContainsFunc(d.Expected, func(a journal.AlertClaim) bool { return !judgedIn(x, a.Alert) }) {
				k.verdicts = append(k.verdicts, journal.Inconclusive)
			}
			k.about = nil
		case *journal.RunStarted:
			k.isAbout("scenario", d.Scenario)
		case *journal.HypothesisState:
			if d.Refuted {
				k.verdicts = append(k.verdicts, journal.Refuted)
			}
		case *journal.PredictionsSealed:
			k.texts = append(k.texts, journal.PeopleFile) // which is what it seals
		}
	}
	for _, q := range x.Queries {
		if q.ID != id {
			continue
		}
		k.spans = append(k.spans, time.Duration(q.Every))
		k.texts = append(k.texts, q.ID, "samples/"+q.ID+".jsonl", q.Name, q.Text, q.Purpose)
		k.isAbout(q.Purpose, q.Name)
		for _, e := range x.Events { // by the name that it was declared with, too
			if d, is := e.Event.Payload.(*journal.Declared); is {
				for _, h := range d.Hypotheses {
					if h.QueryID == q.ID {
						k.isAbout("hypothesis", h.Name)
					}
				}
				for _, g := range d.Guardrails {
					if g.QueryID == q.ID {
						k.isAbout("guardrail", g.Name)
					}
				}
			}
		}
		if q.Query != nil {
			k.queries = append(k.queries, q.Query)
			seen := map[string]bool{}
			for _, s := range q.Query.Samples {
				for _, x := range s.Series {
					if key := formatLabels(x.Labels); !seen[key] {
						seen[key], k.labels = true, append(k.labels, x.Labels)
					}
				}
			}
			k.lengths = append(k.lengths, len(q.Query.Samples))
		}
	}
	return k
}

func judgedIn(x *Index, name string) bool {
	return slices.ContainsFunc(x.Events, func(e EventEvidence) bool {
		switch j := e.Event.Payload.(type) {
		case *journal.HypothesisJudged:
			return j.Hypothesis == name
		case *journal.AlertJudged:
			return j.Alert == name
		}
		return false
	})
}

var (
	typeTime     = reflect.TypeFor[time.Time]()
	typeDuration = reflect.TypeFor[journal.Duration]()
	typeSpan     = reflect.TypeFor[time.Duration]()
	typeNumber   = reflect.TypeFor[journal.Number]()
	typeRef      = reflect.TypeFor[journal.Ref]()
	typeVerdict  = reflect.TypeFor[journal.Verdict]()
	typePoint    = reflect.TypeFor[journal.Point]()
	typeLabels   = reflect.TypeFor[map[string]string]()
)

// kinds of things that evidence is about, by the field of a payload that has the name.
var subjects = map[string]string{"Hypothesis": "hypothesis", "Guardrail": "guardrail", "Fault": "fault", "Alert": "alert", "Step": "step"}

// read takes in what a value of the record holds, by the types that the record gives it.
func (k *known) read(v reflect.Value, field string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			k.read(v.Elem(), field)
		}
		return
	case reflect.Invalid:
		return
	}
	switch v.Type() {
	case typeTime:
		if t := v.Interface().(time.Time); !t.IsZero() {
			k.times[t.UnixNano()] = true
		}
		return
	case typeDuration, typeSpan:
		k.spans = append(k.spans, time.Duration(v.Int()))
		return
	case typeNumber:
		k.numbers = append(k.numbers, v.Float())
		if f := v.Float(); f > 1e9 { // the value of a metric, in seconds since 1970
			k.times[time.UnixMilli(int64(f*1000)).UnixNano()] = true
		}
		return
	case typeRef:
		if field == "Container" {
			k.isAbout("container", v.Interface().(journal.Ref).Name)
		}
	case typeVerdict:
		k.verdicts = append(k.verdicts, journal.Verdict(v.String()))
	case typePoint:
		k.points = append(k.points, v.Interface().(journal.Point))
	}
	switch v.Kind() {
	case reflect.Struct:
		t := v.Type()
		at := func(name string) reflect.Value { return v.FieldByName(name) }
		limit := func(least, most string) {
			if a, b := at(least), at(most); a.IsValid() && b.IsValid() && a.Type() == typeDuration {
				k.limits = append(k.limits, Lasting{time.Duration(a.Int()), time.Duration(b.Int())})
			}
		}
		limit("AtLeast", "AtMost")
		limit("Length", "AtMost")
		after := func(after, first string) {
			if a, b := momentOf(at(after)), momentOf(at(first)); b != nil {
				k.between = append(k.between, Between{a, *b})
			}
		}
		after("After", "First")
		after("After", "At")
		after("Last", "Before")
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() {
				continue
			}
			k.texts = append(k.texts, strings.Split(f.Tag.Get("json"), ",")[0])
			if kind := subjects[f.Name]; kind != "" && v.Field(i).Kind() == reflect.String {
				k.isAbout(kind, v.Field(i).String())
			}
			k.read(v.Field(i), f.Name)
		}
	case reflect.Slice, reflect.Array:
		k.lengths = append(k.lengths, v.Len())
		if v.Type().Elem().Kind() == reflect.Uint8 {
			k.texts = append(k.texts, string(v.Bytes()))
			return
		}
		for i := range v.Len() {
			k.read(v.Index(i), field)
		}
	case reflect.Map:
		if v.CanConvert(typeLabels) {
			k.labels = append(k.labels, v.Convert(typeLabels).Interface().(map[string]string))
		}
		for _, key := range v.MapKeys() {
			k.texts = append(k.texts, key.String())
			k.read(v.MapIndex(key), field)
		}
	case reflect.Bool:
		k.texts = append(k.texts, strconv.FormatBool(v.Bool()))
	case reflect.Float32, reflect.Float64:
		k.numbers = append(k.numbers, v.Float())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		k.counts = append(k.counts, int(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		k.counts = append(k.counts, int(v.Uint()))
	case reflect.String:
		s := v.String()
		k.texts = append(k.texts, s)
		// An argument of a fault, or a setting of a source.
		if d, err := time.ParseDuration(s); err == nil {
			k.spans = append(k.spans, d)
		}
		if x, err := strconv.ParseFloat(s, 64); err == nil {
			k.numbers = append(k.numbers, x)
		}
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			k.times[t.UnixNano()] = true
		}
	}
}

func (k *known) isAbout(kind, name string) {
	if name == "" {
		return
	}
	if k.about == nil {
		k.about = map[string][]string{}
	}
	k.about[kind] = append(k.about[kind], name)
}

// momentOf is the time that a field holds; nil: none.
func momentOf(v reflect.Value) *time.Time {
	if v.IsValid() && v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if !v.IsValid() || v.Type() != typeTime {
		return nil
	}
	t := v.Interface().(time.Time)
	return &t
}

func (k *known) time(t time.Time) bool { return k.times[t.UnixNano()] }

// sampled is a time at which a query was evaluated, and its value there one of those given.
func (k *known) sampled(t time.Time, values []float64) bool {
	for _, q := range k.queries {
		for i, s := range q.Samples {
			if !s.At.Equal(t) {
				continue
			}
			if i == 0 || i == len(q.Samples)-1 {
				return true
			}
			for _, x := range s.Series {
				if slices.ContainsFunc(values, func(f float64) bool { return same(f, float64(x.Value)) }) {
					return true
				}
			}
		}
	}
	return false
}

// value is one of a metric.
func (k *known) value(f float64) bool {
	if slices.ContainsFunc(k.numbers, func(x float64) bool { return same(f, x) || f == -x }) { // "beyond" is a minus
		return true
	}
	for _, q := range k.queries {
		for _, s := range q.Samples {
			if slices.ContainsFunc(s.Series, func(x journal.SeriesValue) bool {
				return same(f, float64(x.Value)) || x.Bound != nil && same(f, float64(*x.Bound))
			}) {
				return true
			}
		}
	}
	return false
}

// point is a value with the bound that it was held against.
func (k *known) point(value journal.Number, op string, bound *journal.Number) bool {
	is := func(v journal.Number, o string, b *journal.Number) bool {
		return same(float64(v), float64(value)) && o == op && (b == nil) == (bound == nil) && (b == nil || same(float64(*b), float64(*bound)))
	}
	if slices.ContainsFunc(k.points, func(p journal.Point) bool { return is(p.Value, p.Op, p.Bound) }) {
		return true
	}
	for _, q := range k.queries {
		for _, s := range q.Samples {
			if slices.ContainsFunc(s.Series, func(x journal.SeriesValue) bool { return is(x.Value, x.Op, x.Bound) }) {
				return true
			}
		}
	}
	return false
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// plainly is a text as JSON keeps it, on one line.
func plainly(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\ufffd"), func(r rune) bool { return unicode.IsSpace(r) || r == '_' }), " ")
}

// text is within something that is recorded.
func (k *known) text(s string) bool {
	s = plainly(s)
	return slices.ContainsFunc(k.texts, func(x string) bool { return strings.Contains(plainly(x), s) })
}

// name is something that is recorded, whole; of a digest its beginning will do.
func (k *known) name(s string) bool {
	s = plainly(s)
	return slices.ContainsFunc(k.texts, func(x string) bool {
		x = plainly(x)
		return x == s || len(s) >= 12 && isDigest(strings.TrimPrefix(x, "sha256:")) && strings.HasPrefix(strings.TrimPrefix(x, "sha256:"), strings.TrimPrefix(s, "sha256:"))
	})
}

// command is one that is recorded, or one of gameday's own over the run's directory or its id.
func (k *known) command(d *Draft, s string) bool {
	dir := shellWord(d.facts.directory())
	own := []string{"gameday recover " + dir, "gameday lint " + d.facts.directory() + "/report.md", "docker ps --all --filter " + shellWord("label=gameday="+d.facts.runID())}
	return slices.Contains(own, s) || k.name(s)
}

// tally is one of different things, each of which is in the evidence, or is an id.
func (k *known) tally(d *Draft, things []string) bool {
	for i, x := range things {
		labels := func(has map[string]string) bool { return formatLabels(has) == x }
		if x != leftOut && slices.Contains(things[:i], x) || !d.Index.Has(x) && !k.name(x) && !slices.ContainsFunc(k.labels, labels) {
			return false
		}
	}
	return len(things) > 0
}

// strangers are names of things that the evidence is not about, while it is about another of their kind.
func (k *known) strangers(args []Value) []Value {
	var out []Value
	for _, v := range args {
		switch v := v.(type) {
		case List:
			out = append(out, k.strangers(v)...)
		case Inner:
			out = append(out, k.strangers(v.Args)...)
		case Name:
			own, other := false, false
			for kind, names := range k.things {
				if !slices.Contains(names, string(v)) {
					continue
				}
				own = own || len(k.about[kind]) == 0 || slices.Contains(k.about[kind], string(v))
				other = true
			}
			if other && !own {
				out = append(out, v)
			}
		}
	}
	return out
}
