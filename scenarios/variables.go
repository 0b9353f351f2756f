package scenarios

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// A variable is a block `variable "name"` with the value in force. One that failed has an unknown value, so that its uses
// are not reported as well.
type variable struct {
	name      string
	block     *block
	typ       cty.Type
	defaults  *typeexpr.Defaults
	sensitive bool
	given     *hcl.Range // where the value in force comes from; nil: nowhere
	value     cty.Value  // without marks
}

// variablePrefix begins the names of environment variables that set variables.
const variablePrefix = "GAMEDAY_VAR_"

var variableSchema = &hcl.BodySchema{
	Attributes: attributes("type", "default", "description", "sensitive"),
	Blocks:     []hcl.BlockHeaderSchema{{Type: "validation"}},
}

var validationSchema = &hcl.BodySchema{Attributes: attributes("condition", "error_message")}

// readVariables declares the variables, finds their values (default, environment, files, command line; the later wins) and
// validates them.
func (l *loader) readVariables(blocks hcl.Blocks) {
	l.variables = map[string]*variable{}
	seen := map[string]hcl.Range{}
	var order []*variable
	for _, hb := range blocks {
		b := l.open(hb, "", variableSchema)
		if !l.unique("variable", hb, b.path, seen) {
			continue
		}
		v := l.declare(hb.Labels[0], b)
		l.variables[v.name] = v
		order = append(order, v)
	}
	for _, v := range order {
		if text, ok := l.options.Env(variablePrefix + v.name); ok {
			v.setText(l, text, variablePrefix+v.name)
		}
	}
	for _, path := range l.options.VarFiles {
		l.readVarFile(path)
	}
	for _, text := range l.options.Vars {
		l.readVarFlag(text)
	}
	unread := slices.ContainsFunc(l.varFiles, func(s *source) bool { return s.broken })
	values := map[string]cty.Value{}
	for _, v := range order {
		if v.given == nil && !unread {
			l.fail(v.block.def, v.block.path, "Variable without a value", fmt.Sprintf(
				"%q has no default and was not set. Set it with -var '%s=…', in a -var-file or with %s%s, or give it a default.",
				v.name, v.name, variablePrefix, v.name))
		}
		values[v.name] = v.marked()
	}
	l.root.Variables = map[string]cty.Value{"var": cty.ObjectVal(values)}
	for _, v := range order {
		l.validate(v)
	}
}

// marked is the value as expressions see it.
func (v *variable) marked() cty.Value {
	if v.sensitive {
		return v.value.Mark(markSensitive)
	}
	return v.value
}

// declare reads the block of a variable.
func (l *loader) declare(name string, b *block) *variable {
	v := &variable{name: name, block: b, typ: cty.DynamicPseudoType, value: cty.DynamicVal}
	unnamed := &loader{options: l.options, root: l.root, files: l.files}
	if a := b.attrs["type"]; a != nil {
		t, defaults, diags := typeexpr.TypeConstraintWithDefaults(a.Expr)
		for _, d := range diags {
			d.Detail += " Types are string, number, bool, any, list(…), set(…), map(…), tuple([…]) and object({…})."
		}
		l.add(diags, b.path)
		if !diags.HasErrors() {
			v.typ, v.defaults = t, defaults
			v.value = cty.UnknownVal(t.WithoutOptionalAttributesDeep())
		}
	}
	for _, n := range []string{"description", "sensitive"} {
		if a := b.attrs[n]; a != nil && len(a.Expr.Variables()) > 0 {
			l.fail(a.Expr.Range(), b.path, "Variables not allowed", fmt.Sprintf("%q of a variable is written out; nothing has a value yet where it is read.", n))
			delete(b.attrs, n)
		}
	}
	b.str("description")
	v.sensitive, _ = b.boolean("sensitive")
	a := b.attrs["default"]
	if a == nil {
		return v
	}
	v.given = a.Expr.Range().Ptr()
	if v.sensitive {
		l.secrets = append(l.secrets, a.Expr)
	}
	if len(a.Expr.Variables()) > 0 {
		l.fail(a.Expr.Range(), b.path, "Variables not allowed", "A default is a value that is written out. For a value that is computed from others use locals.")
		return v
	}
	value, ok := unnamed.eval(l.root, a.Expr, nil, b.path)
	l.diags = append(l.diags, unnamed.diags...)
	if !ok {
		return v
	}
	if value, marks := value.UnmarkDeep(); len(marks) > 0 {
		l.fail(a.Expr.Range(), b.path, "env() not allowed here", fmt.Sprintf(
			"The value of a variable is recorded with the run, and what comes from env() must not be. Leave it out, and set the environment variable %s%s instead: it is read by itself.",
			variablePrefix, name))
	} else {
		v.set(l, value, a.Expr.Range(), b.path)
	}
	return v
}

// set converts a value to the variable's type and takes it.
func (v *variable) set(l *loader, value cty.Value, at hcl.Range, path string) {
	v.given = &at
	v.value = cty.UnknownVal(v.typ.WithoutOptionalAttributesDeep())
	if v.defaults != nil && !value.IsNull() {
		value = v.defaults.Apply(value)
	}
	converted, err := convert.Convert(value, v.typ)
	if err != nil {
		l.fail(at, path, "Wrong type for variable", fmt.Sprintf("The value of %q does not fit its type %s: %v. Change the value or the type.",
			v.name, typeexpr.TypeString(v.typ), err))
		return
	}
	v.value = converted
}

// setText takes a value from the command line or the environment: text for simple types, an expression for lists and maps.
func (v *variable) setText(l *loader, text, from string) {
	at := hcl.Range{Filename: from}
	if v.typ.IsPrimitiveType() || v.typ == cty.DynamicPseudoType {
		v.set(l, cty.StringVal(text), at, "")
		return
	}
	v.given, v.value = &at, cty.UnknownVal(v.typ.WithoutOptionalAttributesDeep())
	if len(text) > largestFile || nestingExpression(text) != nil {
		l.fail(at, "", tooLargeSummary, fmt.Sprintf("The value of %q is too large or nested too deeply. Put it into a -var-file, or make it simpler.", v.name))
		return
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), from, hcl.InitialPos)
	if !diags.HasErrors() {
		var value cty.Value
		value, diags = outsideValue(expr)
		if !diags.HasErrors() {
			v.set(l, value, at, "")
			return
		}
	}
	detail := fmt.Sprintf("%q has the type %s, so its value is written as in a file: [\"a\", \"b\"] or { key = \"value\" }.", v.name, typeexpr.TypeString(v.typ))
	if !v.sensitive {
		detail += " " + diags[0].Detail
	}
	l.fail(at, "", "Value cannot be read", detail)
}

// readVarFlag takes "name=value".
func (l *loader) readVarFlag(text string) {
	name, value, ok := strings.Cut(text, "=")
	name = strings.TrimSpace(name)
	if !ok {
		l.fail(hcl.Range{Filename: "-var"}, "", "No value given", `Write -var "name=value".`)
		return
	}
	from := "-var " + clipped(name)
	v := l.variables[name]
	if v == nil {
		l.failUndeclared(name, hcl.Range{Filename: from})
		return
	}
	v.setText(l, value, from)
}

func (l *loader) failUndeclared(name string, at hcl.Range) {
	names := sortedKeys(l.variables)
	detail := fmt.Sprintf("There is no variable %q. %s", clipped(name), didYouMean(name, "", names))
	if len(names) == 0 {
		detail = fmt.Sprintf("There is no variable %q: none is declared. Declare it with a block variable, or leave the value out.", clipped(name))
	}
	l.fail(at, "", "Unknown variable", detail)
}

// readVarFile takes the values in a file.
func (l *loader) readVarFile(path string) {
	s := &source{path: path}
	l.varFiles = append(l.varFiles, s)
	raw, d := readLimited(path)
	if d == nil {
		s.text, d = clean(path, raw)
	}
	isJSON := filepath.Ext(path) == ".json"
	if d == nil && isJSON {
		d = nestingJSON(path, s.text)
	}
	if d != nil {
		s.broken = true
		l.diags = append(l.diags, d)
		return
	}
	var diags hcl.Diagnostics
	if isJSON {
		s.file, diags = json.Parse(s.text, path)
	} else {
		s.file, diags = parseNative(path, s.text)
	}
	l.diags = append(l.diags, diags...)
	if s.broken = diags.HasErrors(); s.broken {
		return
	}
	attrs, diags := s.file.Body.JustAttributes()
	l.diags = append(l.diags, diags...)
	for name, a := range attrs {
		v := l.variables[name]
		if v == nil {
			l.failUndeclared(name, a.NameRange)
			continue
		}
		if v.sensitive {
			l.secrets = append(l.secrets, a.Expr)
		}
		v.given, v.value = a.Expr.Range().Ptr(), cty.UnknownVal(v.typ.WithoutOptionalAttributesDeep())
		value, diags := outsideValue(a.Expr)
		l.add(diags, "")
		if !diags.HasErrors() {
			v.set(l, value, a.Expr.Range(), "")
		}
	}
}

// outsideValue is the value of an expression that stands in no scenario file. Nothing is computed in it.
func outsideValue(expr hcl.Expression) (cty.Value, hcl.Diagnostics) {
	fail := func(summary, detail string) (cty.Value, hcl.Diagnostics) {
		return cty.DynamicVal, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: expr.Range().Ptr()}}
	}
	if native, ok := expr.(hclsyntax.Expression); ok && hasLoop(native) {
		return fail("Loops not allowed", "A value that is given from outside is written out. Compute with it in locals.")
	}
	v, diags := expr.Value(nil)
	if !diags.HasErrors() && textSize(v) > largestValue {
		return fail(tooLargeSummary, fmt.Sprintf("A value may take up to %d MiB. Make it smaller.", largestValue>>20))
	}
	return v, diags
}

func hasLoop(expr hclsyntax.Expression) (found bool) {
	_ = hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		if _, ok := n.(*hclsyntax.ForExpr); ok {
			found = true
		}
		return nil
	})
	return found
}

// validate checks a variable's value by the rules in its block.
func (l *loader) validate(v *variable) {
	for _, hb := range v.block.blocks.OfType("validation") {
		b := l.open(hb, v.block.path, validationSchema)
		if !b.need("condition", "what must be true of the value") || !b.need("error_message", "what a person reads when it is not") {
			continue
		}
		if v.sensitive {
			l.secrets = append(l.secrets, b.attrs["condition"].Expr)
		}
		message, ok := b.str("error_message")
		if !ok {
			continue
		}
		condition := b.attrs["condition"].Expr
		result, ok := l.eval(l.root, condition, nil, b.path)
		if !ok {
			continue
		}
		result, marks := result.Unmark()
		if _, fromEnv := marks[markEnv]; fromEnv {
			l.failSecret(condition.Range(), b.path, "condition", marks)
			continue
		}
		if result.Type() != cty.Bool && result.Type() != cty.DynamicPseudoType {
			l.fail(condition.Range(), b.path, "Not a condition", fmt.Sprintf(`"condition" is something that is true or false, such as var.%s > 0; this is %s.`, v.name, typeInWords(result.Type())))
			continue
		}
		if !result.IsKnown() || result.IsNull() || result.True() {
			continue
		}
		at := v.block.def
		if v.given != nil {
			at = *v.given
		}
		path := ""
		if at.Start.Line > 0 {
			path = v.block.path
		}
		l.fail(at, path, "Invalid value for variable", fmt.Sprintf("%s\nThe rule for %q is at %s. Give another value.", message, v.name, place(b.def)))
	}
}

// variablesInForce lists the variables for the record, in the order of their names.
func (l *loader) variablesInForce() []Variable {
	var out []Variable
	for _, name := range sortedKeys(l.variables) {
		v := l.variables[name]
		entry := Variable{Name: name, Sensitive: v.sensitive, Value: "(sensitive)"}
		if !v.sensitive && v.value.IsWhollyKnown() {
			if text, err := ctyjson.Marshal(v.value, v.value.Type()); err == nil {
				entry.Value = string(text)
			}
		}
		out = append(out, entry)
	}
	return out
}
