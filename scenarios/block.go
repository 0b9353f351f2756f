package scenarios

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// A block is one block of a file while it is read. Its methods return the value of an argument, and whether it is there and
// right; everything else they report themselves.
type block struct {
	l       *loader
	path    string // the blocks down to this one, in words
	def     hcl.Range
	attrs   hcl.Attributes
	blocks  hcl.Blocks
	missing hcl.Range // where something that is missing is reported
	wrong   string    // what was reported already about what stands in it
}

func attributes(names ...string) []hcl.AttributeSchema {
	out := make([]hcl.AttributeSchema, len(names))
	for i, n := range names {
		out[i] = hcl.AttributeSchema{Name: n}
	}
	return out
}

// content is Body.Content with diagnostics that always say what could be written instead. Hidden arguments are known, but
// not proposed.
func content(body hcl.Body, schema *hcl.BodySchema, hidden ...string) (*hcl.BodyContent, hcl.Diagnostics) {
	c, diags := body.Content(schema)
	var open []string
	for _, a := range schema.Attributes {
		if !contains(hidden, a.Name) {
			open = append(open, a.Name)
		}
	}
	for _, d := range diags {
		if before, proposal, ok := strings.Cut(d.Detail, " Did you mean "); ok && len(hidden) > 0 {
			// hcl proposes the first name that is near, be it hidden or not.
			switch near := nearest(firstQuoted(before), open); {
			case strings.HasPrefix(proposal, `"`) && near != "":
				d.Detail = before + fmt.Sprintf(" Did you mean %q?", near)
			case contains(hidden, firstQuoted(proposal)):
				d.Detail = before
			}
		}
		if strings.Contains(d.Detail, "Did you mean") {
			continue
		}
		var known []string
		switch d.Summary {
		case "Unsupported argument", "Extraneous JSON object property":
			known = open
		case "Unsupported block type":
			if inner, ok := misplacedBlock(d, schema); ok {
				d.Detail += fmt.Sprintf(" A %s stands inside a scenario block. Move it there.", inner)
				continue
			}
			for _, b := range schema.Blocks {
				known = append(known, b.Type)
			}
		default:
			for _, b := range schema.Blocks {
				if strings.HasSuffix(d.Summary, " for "+b.Type) && len(b.LabelNames) > 0 {
					d.Detail += fmt.Sprintf(` Write %s "%s" { … }.`, b.Type, strings.Join(b.LabelNames, `" "`))
				} else if strings.HasPrefix(d.Summary, "Extraneous label for "+b.Type) {
					d.Detail += " Leave the label out."
				}
			}
			continue
		}
		if len(known) == 0 {
			d.Detail += " There is nothing of that kind here: leave it out."
		} else {
			d.Detail += fmt.Sprintf(" Leave it out, or write one of %s.", inWords(known, "or"))
		}
	}
	return c, diags
}

// firstQuoted is what stands in the first pair of quotes.
func firstQuoted(s string) string {
	_, s, _ = strings.Cut(s, `"`)
	s, _, _ = strings.Cut(s, `"`)
	return s
}

// misplacedBlock finds a block of a scenario that stands at the top of a file.
func misplacedBlock(d *hcl.Diagnostic, schema *hcl.BodySchema) (string, bool) {
	if schema != topLevel {
		return "", false
	}
	for _, b := range scenarioSchema.Blocks {
		if strings.Contains(d.Detail, fmt.Sprintf("%q", b.Type)) {
			return b.Type, true
		}
	}
	return "", false
}

// open checks a block's content against a schema.
func (l *loader) open(b *hcl.Block, parent string, schema *hcl.BodySchema, hidden ...string) *block {
	path := blockName(b)
	if parent != "" {
		path = parent + ", " + path
	}
	content, diags := content(b.Body, schema, hidden...)
	l.add(diags, path)
	opened := &block{l: l, path: path, def: b.DefRange, attrs: content.Attributes, blocks: content.Blocks, missing: b.DefRange}
	for _, d := range diags {
		opened.wrong += d.Detail
	}
	return opened
}

func (b *block) has(name string) bool { return b.attrs[name] != nil }

// at is the place of an argument's value.
func (b *block) at(name string) hcl.Range {
	if a := b.attrs[name]; a != nil {
		return a.Expr.Range()
	}
	return b.missing
}

// failAt reports an error at an argument's value.
func (b *block) failAt(name, summary, detail string) {
	b.l.fail(b.at(name), b.path, summary, detail)
}

// need reports an argument that is missing, and says what it is for.
func (b *block) need(name, purpose string) bool {
	if b.has(name) {
		return true
	}
	if strings.Contains(b.wrong, fmt.Sprintf("Did you mean %q", name)) {
		return false // it is there, with a slip in its name
	}
	b.l.fail(b.missing, b.path, "Missing argument", fmt.Sprintf("%q is missing: %s.", name, purpose))
	return false
}

// value evaluates an argument. Values that must not be recorded are refused unless secret is true.
func (b *block) value(name string, secret bool) (v cty.Value, marks cty.ValueMarks, ok bool) {
	attr := b.attrs[name]
	if attr == nil {
		return cty.NilVal, nil, false
	}
	return b.l.plain(attr.Expr, b.path, name, secret)
}

// plain evaluates an expression to a value without marks.
func (l *loader) plain(expr hcl.Expression, path, name string, secret bool) (v cty.Value, marks cty.ValueMarks, ok bool) {
	v, ok = l.eval(l.root, expr, nil, path)
	if !ok {
		return cty.NilVal, nil, false
	}
	v, marks = v.UnmarkDeep()
	if len(marks) > 0 && !secret {
		l.failSecret(expr.Range(), path, name, marks)
		return cty.NilVal, nil, false
	}
	if !v.IsWhollyKnown() {
		return cty.NilVal, nil, false
	}
	if v.IsNull() {
		l.fail(expr.Range(), path, "Null value", fmt.Sprintf("%q is null. Leave the argument out, or give it a value.", name))
		return cty.NilVal, nil, false
	}
	return v, marks, true
}

func (l *loader) failSecret(at hcl.Range, path, name string, marks cty.ValueMarks) {
	where := "It would end up in the record of the run, and "
	if _, fromEnv := marks[markEnv]; fromEnv {
		l.fail(at, path, "env() not allowed here", where+fmt.Sprintf(
			"what comes from env() must not be recorded: it is for the url, headers and credentials of a prometheus block. For %q use a variable, and set it with -var or GAMEDAY_VAR_name.", name))
		return
	}
	l.fail(at, path, "Sensitive value not allowed here", where+fmt.Sprintf(
		"a variable with sensitive = true must not be recorded: it is for the url, headers and credentials of a prometheus block. For %q use a variable that is not sensitive.", name))
}

func (b *block) failType(name, want string, v cty.Value) {
	b.failAt(name, "Wrong type", fmt.Sprintf("%q is %s; this is %s.", name, want, typeInWords(v.Type())))
}

func typeInWords(t cty.Type) string {
	switch {
	case t == cty.String:
		return "a string"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "a list"
	case t.IsObjectType() || t.IsMapType():
		return "a map"
	}
	return "a " + t.FriendlyName()
}

// str reads a string that is not empty.
func (b *block) str(name string) (string, bool) {
	s, _, ok := b.strMarked(name, false)
	return s, ok
}

// secret reads a string that may come from env(), and marks the expression as one whose literals must not be copied.
func (b *block) secret(name string) (string, bool) {
	if b.has(name) {
		b.l.secrets = append(b.l.secrets, b.attrs[name].Expr)
	}
	s, _, ok := b.strMarked(name, true)
	return s, ok
}

func (b *block) strMarked(name string, secret bool) (s string, marked, ok bool) {
	v, marks, ok := b.value(name, secret)
	if !ok {
		return "", false, false
	}
	if v.Type() != cty.String {
		b.failType(name, "a string", v)
		return "", false, false
	}
	s = v.AsString()
	if s == "" && !secret {
		b.failAt(name, "Empty string", fmt.Sprintf("%q is empty. Give it a value, or leave it out.", name))
		return "", false, false
	}
	return s, len(marks) > 0, true
}

// regex reads a regular expression.
func (b *block) regex(name string) (string, bool) {
	pattern, ok := b.str(name)
	if !ok {
		return "", false
	}
	if _, err := regexp.Compile(pattern); err != nil {
		b.failAt(name, "Invalid regular expression", fmt.Sprintf("It cannot be read as RE2: %v. Correct it; a backslash is written twice in quotes.", err))
	}
	return pattern, true
}

// one reads a string that is one of several words.
func (b *block) one(name, fallback string, words ...string) string {
	s, ok := b.str(name)
	if !ok {
		return fallback
	}
	for _, w := range words {
		if s == w {
			return s
		}
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	detail := fmt.Sprintf("%q is %s, not %q.", name, inWords(quoted, "or"), s)
	if n := nearest(s, words); n != "" {
		detail += fmt.Sprintf(" Did you mean %q?", n)
	}
	b.failAt(name, "Unknown word", detail)
	return fallback
}

// boolean reads true or false.
func (b *block) boolean(name string) (bool, bool) {
	v, _, ok := b.value(name, false)
	if !ok {
		return false, false
	}
	if v.Type() != cty.Bool {
		b.failType(name, "true or false", v)
		return false, false
	}
	return v.True(), true
}

// whole reads a whole number between two bounds, both included.
func (b *block) whole(name string, low, high int) (int, bool) {
	v, _, ok := b.value(name, false)
	if !ok {
		return 0, false
	}
	if v.Type() != cty.Number {
		b.failType(name, "a number", v)
		return 0, false
	}
	f, _ := v.AsBigFloat().Float64()
	if f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		b.failAt(name, "Number out of range", fmt.Sprintf("%q is a whole number from %d to %d.", name, low, high))
		return 0, false
	}
	return int(f), true
}

// longest is the longest duration that is taken for meant.
const longest = 24 * time.Hour

// duration reads a duration of at least low.
func (b *block) duration(name string, low time.Duration) (time.Duration, bool) {
	v, _, ok := b.value(name, false)
	if !ok {
		return 0, false
	}
	if v.Type() == cty.Number {
		n := v.AsBigFloat().Text('f', -1)
		if len(n) > 12 {
			n = "30"
		}
		b.failAt(name, "Duration without a unit", fmt.Sprintf("%q is a duration in quotes and with a unit: \"%ss\", \"%sms\" or \"%sm\".", name, n, n, n))
		return 0, false
	}
	if v.Type() != cty.String {
		b.failType(name, `a duration such as "30s"`, v)
		return 0, false
	}
	d, problem := parseDuration(v.AsString(), low)
	if problem != "" {
		b.failAt(name, "Invalid duration", fmt.Sprintf("%q: %s", name, problem))
		return 0, false
	}
	return d, true
}

func parseDuration(s string, low time.Duration) (d time.Duration, problem string) {
	d, err := time.ParseDuration(strings.TrimSpace(s))
	switch {
	case err != nil && len(s) > 40:
		return 0, `this is no duration. Write it like "500ms", "30s", "1m30s" or "2h".`
	case err != nil:
		return 0, fmt.Sprintf(`%q is no duration. Write it like "500ms", "30s", "1m30s" or "2h".`, s)
	case d < 0:
		return 0, fmt.Sprintf("%q is negative. Time only runs forward: write a duration from %s up.", s, inUnits(low))
	case d > longest:
		return 0, fmt.Sprintf("%q is longer than a day. Is the unit right? The most is 24h.", s)
	case d < low && low <= time.Nanosecond:
		return 0, fmt.Sprintf("%q is no time at all. Write a longer one.", s)
	case d < low:
		return 0, fmt.Sprintf("%q is too short. The least is %s.", s, inUnits(low))
	}
	return d, ""
}

// inUnits writes a duration without the zeros that Go adds: "1m", not "1m0s".
func inUnits(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// strs reads a list of strings.
func (b *block) strs(name string) ([]string, bool) {
	v, _, ok := b.value(name, false)
	if !ok {
		return nil, false
	}
	if t := v.Type(); !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		b.failType(name, "a list of strings", v)
		return nil, false
	}
	out := []string{}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() || e.Type() != cty.String || e.AsString() == "" {
			b.failAt(name, "Wrong type", fmt.Sprintf("%q is a list of strings that are not empty.", name))
			return nil, false
		}
		out = append(out, e.AsString())
	}
	return out, true
}

// strMap reads a map of strings.
func (b *block) strMap(name string, secret bool) (map[string]string, bool) {
	v, _, ok := b.value(name, secret)
	if !ok {
		return nil, false
	}
	if t := v.Type(); !t.IsObjectType() && !t.IsMapType() {
		b.failType(name, `a map of strings such as { key = "value" }`, v)
		return nil, false
	}
	out := map[string]string{}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if e.IsNull() || e.Type() != cty.String {
			b.failAt(name, "Wrong type", fmt.Sprintf("%q is a map of strings; the value of %s is none.", name, b.asWritten(name, k.AsString())))
			return nil, false
		}
		out[k.AsString()] = e.AsString()
	}
	return out, true
}

// asWritten quotes a key of a map if it stands in the file as it is. One that was computed may come from env().
func (b *block) asWritten(name, key string) string {
	if strings.Contains(b.l.textAt(b.at(name)), key) {
		return strconv.Quote(clipped(key))
	}
	return "one of the keys"
}

// single returns the one block of a type, or nil. Further ones are reported.
func (b *block) single(kind string) *hcl.Block {
	blocks := b.blocks.OfType(kind)
	if len(blocks) == 0 {
		return nil
	}
	for _, again := range blocks[1:] {
		b.l.fail(again.DefRange, b.path, "Duplicate block", fmt.Sprintf("There is already a block %s, at %s. Put everything into one.", kind, place(blocks[0].DefRange)))
	}
	return blocks[0]
}
