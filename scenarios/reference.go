package scenarios

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// insideScenario are the kinds of blocks that stand in the scenario that names them, and in no other file.
var insideScenario = map[string]bool{"fault": true, "observer": true, "hypothesis": true}

// refer resolves an expression such as target.shop to the name in it. known are the names of that kind. What is wrong is
// reported. A name that is known to be broken is in known all the same, so that one mistake is one message.
func (l *loader) refer(expr hcl.Expression, path, kind string, known []string) (string, bool) {
	fail := func(summary, format string, args ...any) (string, bool) {
		l.fail(expr.Range(), path, summary, fmt.Sprintf(format, args...))
		return "", false
	}
	example := kind + ".name"
	if len(known) > 0 {
		example = kind + "." + known[0]
	}
	native := nativeExpression(expr)
	traversal, diags := hcl.AbsTraversalForExpr(native)
	if diags.HasErrors() {
		text := literalText(native)
		name := strings.TrimPrefix(text, kind+".")
		switch {
		case text != "" && contains(known, name):
			return fail("Quoted name", "A %s is named without quotes: write %s.%s.", kind, kind, name)
		case text != "":
			return fail("Quoted name", "A %s is named without quotes, such as %s. %s", kind, example, didYouMean(name, kind+".", known))
		}
		return fail("Not a "+kind, "Here one %s is named, such as %s: nothing is computed.", kind, example)
	}
	root := traversal.RootName()
	switch {
	case root != kind && referenceRoots[root]:
		return fail("Wrong kind of block", "Here a %s is needed, not a %s: write for example %s.", kind, root, example)
	case root != kind && len(traversal) == 1 && contains(known, root):
		return fail("Incomplete name", "A %s is named with its kind: write %s.%s.", kind, kind, root)
	case root != kind && len(traversal) > 1 && nearest(root, []string{kind}) != "":
		return fail("Unknown kind of block", "There is no kind %q. Did you mean %s?", clipped(root), example)
	case root != kind:
		return fail("Not a "+kind, "Here a %s is named, such as %s. %s", kind, example, didYouMean(root, kind+".", known))
	}
	name, ok := secondName(traversal)
	if !ok || len(traversal) > 2 {
		return fail("Not a "+kind, "A %s is written %s.name, with nothing before or after.", kind, kind)
	}
	if contains(known, name) {
		return name, true
	}
	detail := fmt.Sprintf("There is no %s %q. %s", kind, clipped(name), didYouMean(name, kind+".", known))
	if len(known) == 0 {
		detail = fmt.Sprintf("There is no %s %q: none is declared. Declare it with a block %s.", kind, clipped(name), kind)
	}
	if !l.directory && !insideScenario[kind] {
		detail += " Only this file was loaded: if it is declared in another one, load the directory."
	}
	l.fail(expr.Range(), path, "Unknown "+kind, detail)
	return "", false
}

// reference resolves an argument.
func (b *block) reference(name, kind string, known []string) (string, bool) {
	a := b.attrs[name]
	if a == nil {
		return "", false
	}
	return b.l.refer(a.Expr, b.path, kind, known)
}

// literalText is the text of a string without any template in it, or "".
func literalText(expr hcl.Expression) string {
	switch expr.(type) {
	case *hclsyntax.TemplateExpr, *hclsyntax.LiteralValueExpr:
		v, diags := expr.Value(nil)
		if !diags.HasErrors() && v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
			return v.AsString()
		}
	}
	return ""
}

// nativeExpression returns the expression that a string of JSON stands for: "${x}" is x. Others are returned as they are.
func nativeExpression(expr hcl.Expression) hcl.Expression {
	if parsed, ok := fromJSON(expr); ok {
		if wrap, ok := parsed.(*hclsyntax.TemplateWrapExpr); ok {
			return wrap.Wrapped
		}
	}
	return expr
}
