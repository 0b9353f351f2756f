package scenarios

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// referenceRoots are the names that stand for blocks, not for values.
var referenceRoots = map[string]bool{"target": true, "fault": true, "prometheus": true, "scenario": true, "observer": true, "hypothesis": true, "manual": true}

// conditionRoots are the names that have a value only while a run is judged.
var conditionRoots = map[string]bool{"value": true, "baseline": true, "labels": true}

// eval evaluates an expression in which var, local and the extra names are known. What is wrong is reported; then, or if
// something in it was reported elsewhere already, the value is not usable or unknown.
func (l *loader) eval(ctx *hcl.EvalContext, written hcl.Expression, extra []string, path string) (cty.Value, bool) {
	expr, diags := nativeSyntax(written)
	if diags.HasErrors() {
		l.add(diags, path)
		return cty.DynamicVal, false
	}
	if at := hugeNumber(expr); at != nil {
		l.fail(*at, path, "Number out of range", "No sample can be that large, or that near to zero. Write a number from 1e-300 to 1e300.")
		return cty.DynamicVal, false
	}
	count(expr)
	if !l.namesKnown(expr, append([]string{"var", "local"}, extra...), path) {
		return cty.DynamicVal, false
	}
	l.unset = ""
	v, diags := safely(expr, ctx)
	if diags.HasErrors() && diags[0].Summary != tooLargeSummary && l.touchesSecret(expr) {
		for _, d := range diags {
			if l.unset == "" || !strings.Contains(d.Detail, fmt.Sprintf("%q is not set", l.unset)) {
				d.Detail = "A secret is part of this, so the evaluator's own words, which may repeat it, are left out. Check what the functions and operators around it can take."
			}
		}
	}
	l.add(diags, path)
	return v, !diags.HasErrors()
}

// touchesSecret says whether evaluating an expression handles a value that must not be shown.
func (l *loader) touchesSecret(expr hclsyntax.Expression) bool {
	for _, t := range expr.Variables() {
		name, _ := secondName(t)
		if v := l.variables[name]; v != nil && t.RootName() == "var" && v.sensitive {
			return true
		}
		if v := l.locals[name]; v != nil && t.RootName() == "local" && v.value.ContainsMarked() {
			return true
		}
	}
	found := false
	_ = hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && call.Name == "env" {
			found = true
		}
		return nil
	})
	return found
}

// safely evaluates an expression within the bounds of a budget. The evaluator panics on a few values, such as keys with
// marks; that is an error of the expression.
func safely(expr hclsyntax.Expression, ctx *hcl.EvalContext) (v cty.Value, diags hcl.Diagnostics) {
	defer func() {
		r := recover()
		switch {
		case r == errTooLarge:
			v = cty.DynamicVal
			diags = hcl.Diagnostics{{
				Severity: hcl.DiagError,
				Summary:  tooLargeSummary,
				Detail: fmt.Sprintf("On the way to its value this builds more than %d MiB. Loops in loops and values that double each other do that: make them shorter.",
					largestValue>>20),
				Subject: expr.Range().Ptr(),
			}}
		case r != nil:
			v = cty.DynamicVal
			diags = hcl.Diagnostics{{
				Severity: hcl.DiagError,
				Summary:  "Expression cannot be evaluated",
				Detail:   fmt.Sprintf("The evaluator gave up: %v. Write it in another way.", r),
				Subject:  expr.Range().Ptr(),
			}}
		}
	}()
	b := &budget{left: largestValue}
	v, diags = expr.Value(b.in(ctx))
	b.spend(v)
	for _, d := range diags {
		if before, _, panicked := strings.Cut(d.Detail, "panic in function implementation"); panicked {
			// The rest is a stack of our own functions.
			d.Detail = before + "it has no answer for these arguments. Give it others."
		}
	}
	return v, diags
}

// namesKnown reports the names in an expression that mean nothing there.
func (l *loader) namesKnown(expr hcl.Expression, roots []string, path string) bool {
	ok := true
	for _, t := range expr.Variables() {
		if summary, detail := l.nameUnknown(t, roots); summary != "" {
			l.fail(t.SourceRange(), path, summary, detail)
			ok = false
		}
	}
	return ok
}

func (l *loader) nameUnknown(t hcl.Traversal, roots []string) (summary, detail string) {
	root := t.RootName()
	known := false
	for _, r := range roots {
		known = known || r == root
	}
	switch {
	case known && root == "var":
		return attributeUnknown(t, "variable", "var.", sortedKeys(l.variables))
	case known && root == "local":
		return attributeUnknown(t, "local value", "local.", sortedKeys(l.locals))
	case known:
		return "", ""
	case referenceRoots[root]:
		return "Not a value", fmt.Sprintf("%s.… stands for a block and has no value of its own. It can be used where a block is meant, as in target = target.name.", root)
	case root == "baseline" && contains(roots, "value"):
		return "No baseline here", "A guardrail also watches the baseline phase itself, so there is no baseline to compare with. Compare with a number, a variable or a local."
	case conditionRoots[root]:
		return "Not known yet", fmt.Sprintf("%q is known only while a run is judged: in expect and abort_when.", root)
	case l.variables[root] != nil:
		return "Unknown name", fmt.Sprintf("There is no %q here, but a variable of that name: write var.%s.", root, root)
	case l.locals[root] != nil:
		return "Unknown name", fmt.Sprintf("There is no %q here, but a local value of that name: write local.%s.", root, root)
	}
	detail = fmt.Sprintf("There is no %q here.", clipped(root))
	switch near := nearest(root, roots); {
	case strings.Contains(root, "-"):
		detail += " A hyphen may be part of a name: for a minus write blanks around it."
	case near != "":
		detail += fmt.Sprintf(" Did you mean %q?", near)
	case nearest(root, sortedKeys(l.variables)) != "":
		detail += fmt.Sprintf(" Did you mean var.%s?", nearest(root, sortedKeys(l.variables)))
	case nearest(root, sortedKeys(l.locals)) != "":
		detail += fmt.Sprintf(" Did you mean local.%s?", nearest(root, sortedKeys(l.locals)))
	default:
		detail += fmt.Sprintf(" Known are %s. Text is written in quotes.", inWords(roots, "and"))
	}
	return "Unknown name", detail
}

func contains(words []string, w string) bool {
	for _, v := range words {
		if v == w {
			return true
		}
	}
	return false
}

// attributeUnknown checks the name after "var." or "local.".
func attributeUnknown(t hcl.Traversal, what, prefix string, names []string) (summary, detail string) {
	name, ok := secondName(t)
	if !ok {
		return "Incomplete name", fmt.Sprintf("A %s is written %sname. %s", what, prefix, didYouMean("", prefix, names))
	}
	if contains(names, name) {
		return "", ""
	}
	if len(names) == 0 {
		return "Unknown " + what, fmt.Sprintf("There is no %s %q; none is declared.", what, clipped(name))
	}
	return "Unknown " + what, fmt.Sprintf("There is no %s %q. %s", what, clipped(name), didYouMean(name, prefix, names))
}

// secondName is the name after the first dot.
func secondName(t hcl.Traversal) (string, bool) {
	if len(t) < 2 {
		return "", false
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString(), true
		}
	}
	return "", false
}

func clipped(s string) string {
	if r := []rune(s); len(r) > longestName {
		return string(r[:longestName]) + "…"
	}
	return s
}
