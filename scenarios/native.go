package scenarios

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
)

// nativeSyntax returns an expression as a syntax tree, whichever syntax it was written in. JSON's strings are templates, and
// hcl parses them anew at every evaluation: neither divisions nor sizes could be checked in them.
func nativeSyntax(expr hcl.Expression) (hclsyntax.Expression, hcl.Diagnostics) {
	if native, ok := expr.(hclsyntax.Expression); ok {
		return native, nil
	}
	// This alone finds keys that are there twice.
	if _, diags := expr.Value(nil); diags.HasErrors() {
		return nil, diags
	}
	native, diags := nativeJSON(expr)
	if diags.HasErrors() {
		return nil, diags
	}
	checkDivisions(native)
	return native, nil
}

func nativeJSON(expr hcl.Expression) (hclsyntax.Expression, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	convert := func(e hcl.Expression) hclsyntax.Expression {
		native, more := nativeJSON(e)
		diags = append(diags, more...)
		return native
	}
	if list, no := hcl.ExprList(expr); !no.HasErrors() {
		native := &hclsyntax.TupleConsExpr{SrcRange: expr.Range(), OpenRange: expr.StartRange()}
		for _, e := range list {
			native.Exprs = append(native.Exprs, convert(e))
		}
		return native, diags
	}
	if pairs, no := hcl.ExprMap(expr); !no.HasErrors() {
		native := &hclsyntax.ObjectConsExpr{SrcRange: expr.Range(), OpenRange: expr.StartRange()}
		for _, p := range pairs {
			native.Items = append(native.Items, hclsyntax.ObjectConsItem{KeyExpr: convert(p.Key), ValueExpr: convert(p.Value)})
		}
		return native, diags
	}
	v, diags := expr.Value(nil)
	if v.Type() != cty.String || v.IsNull() {
		return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: expr.Range()}, diags
	}
	// Columns count from behind the opening quote, as far as there are no escapes.
	start := expr.Range().Start
	start.Column++
	start.Byte++
	return hclsyntax.ParseTemplate([]byte(v.AsString()), expr.Range().Filename, start)
}

// fromJSON is the template that a string of a JSON file is.
func fromJSON(expr hcl.Expression) (hclsyntax.Expression, bool) {
	if !json.IsJSONExpression(expr) {
		return nil, false
	}
	if v, diags := expr.Value(nil); diags.HasErrors() || v.Type() != cty.String || v.IsNull() {
		return nil, false
	}
	parsed, diags := nativeJSON(expr)
	return parsed, !diags.HasErrors()
}
