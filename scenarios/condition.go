package scenarios

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// A Condition is what expect and abort_when say. It is safe for concurrent use.
type Condition struct {
	expr     hclsyntax.Expression
	root     *hcl.EvalContext
	text     string
	baseline bool
	labels   bool
	vars     []string // the names of the variables and locals in it, "var.x"

	// Where the condition is one comparison of value with something: the operator and both sides, value on the left.
	op    string
	left  hclsyntax.Expression
	right hclsyntax.Expression
}

// Input is one sample of one series.
type Input struct {
	Value    float64           // what the query returned; a NaN is no value and an error
	Baseline *float64          // the median of the series in the baseline phase; nil: not known
	Labels   map[string]string // of the series
}

// Judgement is what a condition says about a sample.
type Judgement struct {
	OK bool
	// Op and Bound are set where the condition is one comparison of value (perhaps times or plus something) with something:
	// solved for value, so that the claim reads "value Op *Bound". For all other conditions Op is empty and Bound nil.
	Op    string
	Bound *float64
}

// String is the condition as it was written.
func (c *Condition) String() string { return c.text }

// UsesBaseline says whether the condition needs Input.Baseline.
func (c *Condition) UsesBaseline() bool { return c.baseline }

// UsesLabels says whether the condition needs Input.Labels.
func (c *Condition) UsesLabels() bool { return c.labels }

// Eval judges one sample. An error says why it cannot be judged, with the values in it.
func (c *Condition) Eval(in Input) (Judgement, error) {
	if math.IsNaN(in.Value) {
		return Judgement{}, c.failure(in, errors.New("the value is NaN, which is no number and cannot be compared"))
	}
	if c.baseline && in.Baseline == nil {
		return Judgement{}, c.failure(in, errors.New("the baseline of this series is not known"))
	}
	ctx := c.root.NewChild()
	ctx.Variables = map[string]cty.Value{"value": number(in.Value)}
	if c.baseline {
		if math.IsNaN(*in.Baseline) {
			return Judgement{}, c.failure(in, errors.New("the baseline of this series is NaN, which is no number and cannot be compared"))
		}
		ctx.Variables["baseline"] = number(*in.Baseline)
	}
	if c.labels {
		ctx.Variables["labels"] = labelMap(in.Labels)
	}
	result, diags := safely(c.expr, ctx)
	if diags.HasErrors() {
		d := diags[0]
		return Judgement{}, c.failure(in, fmt.Errorf("%s: %s", strings.TrimSuffix(d.Summary, "."), d.Detail))
	}
	if result.IsMarked() || !result.IsKnown() || result.IsNull() || result.Type() != cty.Bool {
		return Judgement{}, c.failure(in, errors.New("the condition is neither true nor false"))
	}
	j := Judgement{OK: result.True()}
	if c.op != "" {
		j.Op, j.Bound = c.solve(ctx)
	}
	return j, nil
}

// number makes a cty number that is exactly the decimal a person would read: 0.1, not the nearest binary fraction.
func number(f float64) cty.Value {
	switch {
	case math.IsInf(f, 1):
		return cty.PositiveInfinity
	case math.IsInf(f, -1):
		return cty.NegativeInfinity
	}
	v, err := cty.ParseNumberVal(strconv.FormatFloat(f, 'g', -1, 64))
	if err != nil {
		return cty.DynamicVal
	}
	return v
}

func labelMap(labels map[string]string) cty.Value {
	if len(labels) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	m := make(map[string]cty.Value, len(labels))
	for k, v := range labels {
		m[k] = cty.StringVal(v)
	}
	return cty.MapVal(m)
}

// failure adds the live values to an error, sorted by name.
func (c *Condition) failure(in Input, err error) error {
	live := map[string]string{"value": strconv.FormatFloat(in.Value, 'g', -1, 64)}
	if c.baseline {
		live["baseline"] = "not known"
		if in.Baseline != nil {
			live["baseline"] = strconv.FormatFloat(*in.Baseline, 'g', -1, 64)
		}
	}
	if c.labels {
		var pairs []string
		for _, k := range sortedKeys(in.Labels) {
			pairs = append(pairs, fmt.Sprintf("%s=%q", k, in.Labels[k]))
		}
		live["labels"] = "{" + strings.Join(pairs, ", ") + "}"
	}
	for _, name := range c.vars {
		group, key, _ := strings.Cut(name, ".")
		object := c.root.Variables[group]
		if !object.Type().IsObjectType() || !object.Type().HasAttribute(key) {
			continue
		}
		v := object.GetAttr(key)
		if !v.IsWhollyKnown() || v.ContainsMarked() {
			continue
		}
		if text, err := ctyjson.Marshal(v, v.Type()); err == nil {
			live[name] = clipped(string(text))
		}
	}
	var parts []string
	for _, k := range sortedKeys(live) {
		parts = append(parts, k+" = "+live[k])
	}
	return fmt.Errorf("cannot judge %q: %w (%s)", c.text, err, strings.Join(parts, ", "))
}

// condition reads an argument as a condition. It is evaluated once with unknown values: names, types, and whether it can
// change at all are known before a run.
func (b *block) condition(name string, baseline bool) *Condition {
	a := b.attrs[name]
	if a == nil {
		return nil
	}
	l := b.l
	expr, text := l.conditionSyntax(a.Expr, b.path, name)
	if expr == nil {
		return nil
	}
	c := &Condition{expr: expr, root: l.root, text: text}
	roots := []string{"value", "labels"}
	values := map[string]cty.Value{
		"value":  cty.UnknownVal(cty.Number).RefineNotNull(),
		"labels": cty.UnknownVal(cty.Map(cty.String)).RefineNotNull(),
	}
	if baseline {
		roots = append(roots, "baseline")
		values["baseline"] = cty.UnknownVal(cty.Number).RefineNotNull()
	}
	ctx := l.root.NewChild()
	ctx.Variables = values
	result, ok := l.eval(ctx, expr, roots, b.path)
	if !ok {
		return nil
	}
	changes := false
	for _, t := range expr.Variables() {
		switch root := t.RootName(); root {
		case "value":
			changes = true
		case "labels":
			changes, c.labels = true, true
		case "baseline":
			c.baseline = true
		default:
			if second, ok := secondName(t); ok && !contains(c.vars, root+"."+second) {
				c.vars = append(c.vars, root+"."+second)
			}
		}
	}
	sort.Strings(c.vars)
	result, marks := result.UnmarkDeep()
	switch t := result.Type(); {
	case len(marks) > 0:
		l.failSecret(expr.Range(), b.path, name, marks)
		return nil
	case t != cty.Bool && t != cty.DynamicPseudoType:
		detail := fmt.Sprintf("%q is something that is true or false, such as value < 0.01; this is %s.", name, typeInWords(t))
		if t == cty.String {
			detail += " A condition is written without quotes."
		}
		l.fail(expr.Range(), b.path, "Not a condition", detail)
		return nil
	case !changes:
		l.fail(expr.Range(), b.path, "Condition never changes", fmt.Sprintf("Neither value nor labels is in %q, so it says the same whatever happens. Compare value with something.", name))
		return nil
	case result.IsKnown():
		l.fail(expr.Range(), b.path, "Condition never changes", fmt.Sprintf("%q says the same whatever value is. Compare value with something, and nothing else beside it that decides already.", name))
		return nil
	}
	c.findComparison()
	return c
}

// conditionSyntax returns the syntax tree of a condition and how it was written.
func (l *loader) conditionSyntax(expr hcl.Expression, path, name string) (hclsyntax.Expression, string) {
	if native, ok := expr.(hclsyntax.Expression); ok {
		return native, l.textAt(native.Range())
	}
	parsed, ok := fromJSON(expr)
	if !ok {
		l.fail(expr.Range(), path, "Not a condition", fmt.Sprintf("In JSON %q is a string with a template: \"${value < 0.01}\".", name))
		return nil, ""
	}
	wrap, ok := parsed.(*hclsyntax.TemplateWrapExpr)
	if !ok {
		l.fail(expr.Range(), path, "Not a condition", fmt.Sprintf("In JSON %q is a string with one template around all of it: \"${value < 0.01}\".", name))
		return nil, ""
	}
	checkDivisions(wrap.Wrapped)
	text, _ := expr.Value(nil)
	written := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text.AsString()), "${"), "}")
	return wrap.Wrapped, strings.Trim(written, "~ ")
}

// textAt is the text of a range as it was written.
func (l *loader) textAt(r hcl.Range) string {
	for _, f := range l.files {
		if f.path == r.Filename && r.CanSliceBytes(f.text) {
			return strings.TrimSpace(string(r.SliceBytes(f.text)))
		}
	}
	return ""
}
