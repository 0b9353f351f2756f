package scenarios

import (
	"math"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// comparisons are the operators of a bound, and mirrored what they become when both sides change places.
var (
	comparisons = map[*hclsyntax.Operation]string{
		hclsyntax.OpLessThan:           "<",
		hclsyntax.OpLessThanOrEqual:    "<=",
		hclsyntax.OpGreaterThan:        ">",
		hclsyntax.OpGreaterThanOrEqual: ">=",
		hclsyntax.OpEqual:              "==",
		hclsyntax.OpNotEqual:           "!=",
	}
	mirrored = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
)

// findComparison notes whether the condition is one comparison with value on exactly one side.
func (c *Condition) findComparison() {
	e, ok := bare(c.expr).(*hclsyntax.BinaryOpExpr)
	if !ok {
		return
	}
	op, ok := comparisons[e.Op]
	if !ok {
		return
	}
	left, right := usesValue(e.LHS), usesValue(e.RHS)
	switch {
	case left && !right:
		c.op, c.left, c.right = op, e.LHS, e.RHS
	case right && !left:
		c.op, c.left, c.right = mirrored[op], e.RHS, e.LHS
	}
}

// bare takes off parentheses and a template that is nothing but one.
func bare(e hclsyntax.Expression) hclsyntax.Expression {
	for {
		switch t := e.(type) {
		case *hclsyntax.ParenthesesExpr:
			e = t.Expression
		case *hclsyntax.TemplateWrapExpr:
			e = t.Wrapped
		default:
			return e
		}
	}
}

func usesValue(e hclsyntax.Expression) bool {
	for _, t := range e.Variables() {
		if t.RootName() == "value" {
			return true
		}
	}
	return false
}

// solve brings the comparison into the form "value op bound". It gives up where the side of value is not value times or
// plus something.
func (c *Condition) solve(ctx *hcl.EvalContext) (string, *float64) {
	op := c.op
	bound, ok := numberOf(c.right, ctx)
	if !ok {
		return "", nil
	}
	side := bare(c.left)
	for {
		switch e := side.(type) {
		case *hclsyntax.ScopeTraversalExpr:
			f, _ := bound.AsBigFloat().Float64()
			if len(e.Traversal) != 1 || math.IsInf(f, 0) {
				return "", nil
			}
			return op, &f
		case *hclsyntax.UnaryOpExpr:
			if e.Op != hclsyntax.OpNegate {
				return "", nil
			}
			bound, op, side = bound.Negate(), mirrored[op], bare(e.Val)
		case *hclsyntax.BinaryOpExpr:
			inner, other, valueFirst := e.LHS, e.RHS, true
			if !usesValue(inner) {
				inner, other, valueFirst = e.RHS, e.LHS, false
			}
			if usesValue(other) {
				return "", nil
			}
			n, ok := numberOf(other, ctx)
			if !ok {
				return "", nil
			}
			switch {
			case e.Op == hclsyntax.OpAdd:
				bound = bound.Subtract(n)
			case e.Op == hclsyntax.OpSubtract && valueFirst:
				bound = bound.Add(n)
			case e.Op == hclsyntax.OpSubtract:
				bound, op = n.Subtract(bound), mirrored[op]
			case e.Op == hclsyntax.OpMultiply || e.Op == safeDivide && valueFirst:
				sign := n.AsBigFloat().Sign()
				if sign == 0 {
					return "", nil
				}
				if sign < 0 {
					op = mirrored[op]
				}
				if e.Op == hclsyntax.OpMultiply {
					bound = bound.Divide(n)
				} else {
					bound = bound.Multiply(n)
				}
			default:
				return "", nil
			}
			side = bare(inner)
		default:
			return "", nil
		}
	}
}

// numberOf evaluates a side without value to a finite number.
func numberOf(e hclsyntax.Expression, ctx *hcl.EvalContext) (cty.Value, bool) {
	v, diags := safely(e, ctx)
	if diags.HasErrors() || v.IsMarked() || !v.IsKnown() || v.IsNull() || v.Type() != cty.Number || v.AsBigFloat().IsInf() {
		return cty.NilVal, false
	}
	return v, true
}
