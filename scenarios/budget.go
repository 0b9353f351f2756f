package scenarios

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

const (
	// largestValue is in bytes: what one expression may build on the way to its value. A few lines can ask for more than any
	// machine has: local values that double each other, loops in loops, functions that repeat.
	largestValue = 1 << 20
	// largestExponent is that of the largest number that may be written, as a power of two: what a sample can be, and not
	// much more. Written out in digits, 1e1000000000 alone would fill the memory.
	largestExponent = 1100
)

const tooLargeSummary = "Value too large"

var errTooLarge = errors.New("the value is too large")

// A budget is what is left of largestValue while one expression is evaluated.
type budget struct{ left int }

// spend takes a value's size off the budget, and panics with errTooLarge when nothing is left: the evaluator goes on after an
// error, and a loop would go on for hours.
func (b *budget) spend(v cty.Value) {
	const each = 16
	b.take(each)
	v, _ = v.Unmark()
	if !v.IsKnown() || v.IsNull() {
		return
	}
	switch t := v.Type(); {
	case t == cty.String:
		b.take(len(v.AsString()))
	case t == cty.Number:
		b.take(max(v.AsBigFloat().MantExp(nil), -v.AsBigFloat().MantExp(nil)) / 3) // its digits
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next(); {
			_, element := it.Element()
			b.spend(element)
		}
	}
}

func (b *budget) take(n int) {
	if b.left -= n; b.left < 0 {
		panic(errTooLarge)
	}
}

// budgetName cannot be written in a file.
const budgetName = " budget"

var budgetType = cty.Capsule("budget", reflect.TypeFor[budget]())

// in returns a context that carries the budget to the counted expressions.
func (b *budget) in(ctx *hcl.EvalContext) *hcl.EvalContext {
	child := ctx.NewChild()
	child.Variables = map[string]cty.Value{budgetName: cty.CapsuleVal(budgetType, b)}
	return child
}

// A counted expression takes what it evaluates to off the budget. It walks like a pair of parentheses.
type counted struct{ *hclsyntax.ParenthesesExpr }

// Value implements hclsyntax.Expression.
func (c counted) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := c.Expression.Value(ctx)
	for ; ctx != nil; ctx = ctx.Parent() {
		if b, ok := ctx.Variables[budgetName]; ok {
			b.EncapsulatedValue().(*budget).spend(v)
			break
		}
	}
	return v, diags
}

// count makes the parts of an expression counted in which something small becomes something large. It may be called twice.
func count(e hclsyntax.Expression) {
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		switch e := n.(type) {
		case *hclsyntax.FunctionCallExpr:
			for i := range e.Args {
				countPart(&e.Args[i])
			}
		case *hclsyntax.TemplateExpr:
			for i := range e.Parts {
				countPart(&e.Parts[i])
			}
		case *hclsyntax.ForExpr:
			countPart(&e.KeyExpr)
			countPart(&e.ValExpr)
			countPart(&e.CondExpr)
		case *hclsyntax.ConditionalExpr:
			countPart(&e.TrueResult)
			countPart(&e.FalseResult)
		}
		return nil
	})
}

// countPart leaves text that is written out as it is: it is as large as it looks.
func countPart(e *hclsyntax.Expression) {
	switch part := (*e).(type) {
	case nil, counted:
		return
	case *hclsyntax.LiteralValueExpr:
		if part.Val.Type() == cty.String {
			return
		}
	case *hclsyntax.TemplateExpr:
		if part.IsStringLiteral() {
			return
		}
	}
	*e = counted{&hclsyntax.ParenthesesExpr{Expression: *e, SrcRange: (*e).Range()}}
}

// hugeNumber finds a number that is written out and larger, or nearer to zero, than any sample can be.
func hugeNumber(e hclsyntax.Expression) *hcl.Range {
	var found *hcl.Range
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		literal, ok := n.(*hclsyntax.LiteralValueExpr)
		if !ok || found != nil || literal.Val.Type() != cty.Number || literal.Val.IsNull() {
			return nil
		}
		if exponent := literal.Val.AsBigFloat().MantExp(nil); exponent > largestExponent || exponent < -largestExponent {
			found = literal.Range().Ptr()
		}
		return nil
	})
	return found
}

// bounded refuses a call whose result could be larger than largestValue bytes before it is made. size estimates from above.
func bounded(f function.Function, size func(args []cty.Value) float64) function.Function {
	return function.New(&function.Spec{
		Description:  f.Description(),
		Params:       f.Params(),
		VarParam:     f.VarParam(),
		Type:         f.ReturnTypeForValues,
		RefineResult: func(b *cty.RefinementBuilder) *cty.RefinementBuilder { return b.NotNull() },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if size(args) > largestValue {
				return cty.NilVal, fmt.Errorf("the result could be larger than %d MiB; make the arguments smaller", largestValue>>20)
			}
			return f.Call(args)
		},
	})
}

// textSize is the size of all text in a value, numbers and other things at a flat rate.
func textSize(v cty.Value) float64 {
	b := budget{left: largestValue}
	over := func() (over bool) {
		defer func() { over = recover() != nil }()
		b.spend(v)
		return false
	}()
	if over {
		return largestValue + 1
	}
	return float64(largestValue - b.left)
}

func textOf(v cty.Value) string {
	v, _ = v.Unmark()
	if v.Type() != cty.String || !v.IsKnown() || v.IsNull() {
		return ""
	}
	return v.AsString()
}

// elements is the number of elements in a collection.
func elements(v cty.Value) float64 {
	v, _ = v.Unmark()
	if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
		return 1
	}
	return float64(v.LengthInt())
}

func indentSize(args []cty.Value) float64 {
	spaces, _ := args[0].AsBigFloat().Float64()
	text := args[1].AsString()
	return float64(len(text)) + spaces*float64(strings.Count(text, "\n"))
}

func joinSize(args []cty.Value) float64 {
	size := 0.0
	for _, list := range args[1:] {
		size += textSize(list) + float64(len(textOf(args[0])))*elements(list)
	}
	return size
}

func replaceSize(args []cty.Value) float64 {
	text, old, with := args[0].AsString(), args[1].AsString(), args[2].AsString()
	return float64(len(text)) + float64(strings.Count(text, old))*float64(len(with))
}

// regexReplaceSize counts a match at every byte, and the whole text for every reference to a group.
func regexReplaceSize(args []cty.Value) float64 {
	text, with := args[0].AsString(), args[2].AsString()
	return float64(len(text)+1) * float64(1+len(with))
}

// regexAllSize counts a match at every byte, with all groups of the expression.
func regexAllSize(args []cty.Value) float64 {
	pattern, text := args[0].AsString(), args[1].AsString()
	return float64(len(text)+1) * float64(1+strings.Count(pattern, "("))
}

// formatSize adds up all widths and precisions, and counts every argument for every verb: it can be named again.
func formatSize(args []cty.Value) float64 {
	verbs, size, n, rows := 0.0, 0.0, 0.0, 1.0
	for _, c := range textOf(args[0]) {
		switch {
		case c >= '0' && c <= '9':
			n = 10*n + float64(c-'0')
		default:
			size, n = size+n+1, 0
		}
		if c == '%' {
			verbs++
		}
	}
	for _, a := range args[1:] {
		size += verbs * textSize(a)
		rows = max(rows, elements(a))
	}
	return (size + n) * rows
}

// distinctSize is about time: every element is compared with every other.
func distinctSize(args []cty.Value) float64 { return elements(args[0]) * elements(args[0]) }
