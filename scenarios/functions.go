package scenarios

import (
	"errors"
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// A mark is why a value must not be recorded.
type mark string

const (
	markEnv       mark = "env"       // it came from env()
	markSensitive mark = "sensitive" // it came from a variable with sensitive = true
)

// library holds the functions that give the same answer each time. There is none that reads the clock or a file: a scenario
// means the same whenever and wherever it is run.
var library = map[string]function.Function{
	"abs":             stdlib.AbsoluteFunc,
	"ceil":            stdlib.CeilFunc,
	"chomp":           stdlib.ChompFunc,
	"chunklist":       stdlib.ChunklistFunc,
	"coalesce":        stdlib.CoalesceFunc,
	"coalescelist":    stdlib.CoalesceListFunc,
	"compact":         stdlib.CompactFunc,
	"concat":          stdlib.ConcatFunc,
	"contains":        stdlib.ContainsFunc,
	"csvdecode":       stdlib.CSVDecodeFunc,
	"distinct":        bounded(stdlib.DistinctFunc, distinctSize),
	"element":         stdlib.ElementFunc,
	"flatten":         stdlib.FlattenFunc,
	"floor":           stdlib.FloorFunc,
	"format":          bounded(stdlib.FormatFunc, formatSize),
	"formatlist":      bounded(stdlib.FormatListFunc, formatSize),
	"indent":          bounded(stdlib.IndentFunc, indentSize),
	"index":           stdlib.IndexFunc,
	"int":             stdlib.IntFunc,
	"join":            bounded(stdlib.JoinFunc, joinSize),
	"jsondecode":      stdlib.JSONDecodeFunc,
	"jsonencode":      stdlib.JSONEncodeFunc,
	"keys":            stdlib.KeysFunc,
	"length":          stdlib.LengthFunc,
	"log":             finite(stdlib.LogFunc),
	"lookup":          stdlib.LookupFunc,
	"lower":           stdlib.LowerFunc,
	"max":             stdlib.MaxFunc,
	"merge":           stdlib.MergeFunc,
	"min":             stdlib.MinFunc,
	"parseint":        stdlib.ParseIntFunc,
	"pow":             finite(stdlib.PowFunc),
	"range":           stdlib.RangeFunc,
	"regex":           stdlib.RegexFunc,
	"regexall":        bounded(stdlib.RegexAllFunc, regexAllSize),
	"regexreplace":    bounded(stdlib.RegexReplaceFunc, regexReplaceSize),
	"replace":         bounded(stdlib.ReplaceFunc, replaceSize),
	"reverse":         stdlib.ReverseListFunc,
	"setintersection": stdlib.SetIntersectionFunc,
	"setsubtract":     stdlib.SetSubtractFunc,
	"setunion":        stdlib.SetUnionFunc,
	"signum":          stdlib.SignumFunc,
	"slice":           stdlib.SliceFunc,
	"sort":            stdlib.SortFunc,
	"split":           stdlib.SplitFunc,
	"strlen":          stdlib.StrlenFunc,
	"strrev":          stdlib.ReverseFunc,
	"substr":          stdlib.SubstrFunc,
	"title":           stdlib.TitleFunc,
	"tobool":          stdlib.MakeToFunc(cty.Bool),
	"tolist":          stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
	"tomap":           stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
	"tonumber":        stdlib.MakeToFunc(cty.Number),
	"toset":           stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
	"tostring":        stdlib.MakeToFunc(cty.String),
	"trim":            stdlib.TrimFunc,
	"trimprefix":      stdlib.TrimPrefixFunc,
	"trimspace":       stdlib.TrimSpaceFunc,
	"trimsuffix":      stdlib.TrimSuffixFunc,
	"upper":           stdlib.UpperFunc,
	"values":          stdlib.ValuesFunc,
	"zipmap":          stdlib.ZipmapFunc,
}

// functions returns the library with env(), which reads through lookup.
func functions(lookup func(string) (string, bool)) map[string]function.Function {
	fs := maps.Clone(library)
	fs["env"] = function.New(&function.Spec{
		Description: "The value of an environment variable, or the default. Only for the address and the credentials of a source.",
		Params:      []function.Parameter{{Name: "name", Type: cty.String}},
		VarParam:    &function.Parameter{Name: "default", Type: cty.String},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) > 2 {
				return cty.NilVal, errors.New("env takes a name and at most one default")
			}
			name := args[0].AsString()
			v, ok := lookup(name)
			switch {
			case ok:
				return cty.StringVal(v).Mark(markEnv), nil
			case len(args) == 2:
				return args[1].Mark(markEnv), nil
			}
			return cty.NilVal, function.NewArgErrorf(0,
				"the environment variable %q is not set. Set it, or give a default: env(%q, \"…\")", name, name)
		},
	})
	return fs
}

// finite makes an infinite result an error.
func finite(f function.Function) function.Function {
	return function.New(&function.Spec{
		Description: f.Description(),
		Params:      f.Params(),
		Type:        f.ReturnTypeForValues,
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := f.Call(args)
			if err == nil && v.AsBigFloat().IsInf() {
				return cty.NilVal, errors.New("the result is infinite; give it other arguments")
			}
			return v, err
		},
	})
}

// The two operations with which a condition could become silently infinite.
var (
	safeDivide = &hclsyntax.Operation{Impl: checkedDivision(stdlib.DivideFunc), Type: cty.Number}
	safeModulo = &hclsyntax.Operation{Impl: checkedDivision(stdlib.ModuloFunc), Type: cty.Number}
)

func checkedDivision(f function.Function) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{
			{Name: "a", Type: cty.Number, AllowDynamicType: true},
			{Name: "b", Type: cty.Number, AllowDynamicType: true},
		},
		Type: function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[1].RawEquals(cty.Zero) || args[1].AsBigFloat().Sign() == 0 {
				return cty.NilVal, function.NewArgErrorf(1, "division by zero")
			}
			return f.Call(args)
		},
	})
}

// checkDivisions replaces the divisions in a syntax tree by ones for which a zero divisor is an error.
func checkDivisions(node hclsyntax.Node) {
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		if e, ok := n.(*hclsyntax.BinaryOpExpr); ok {
			switch e.Op {
			case hclsyntax.OpDivide:
				e.Op = safeDivide
			case hclsyntax.OpModulo:
				e.Op = safeModulo
			}
		}
		return nil
	})
}
