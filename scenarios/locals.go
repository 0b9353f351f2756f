package scenarios

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// A local is one argument of a block `locals`.
type local struct {
	name  string
	attr  *hcl.Attribute
	path  string
	value cty.Value
	state int // 0: not looked at, 1: being computed, 2: done
}

// readLocals computes the local values, in whatever order they need each other.
func (l *loader) readLocals(blocks hcl.Blocks) {
	l.locals = map[string]*local{}
	for _, hb := range blocks {
		attrs, diags := hb.Body.JustAttributes()
		l.add(diags, "locals")
		for _, name := range sortedKeys(attrs) {
			a := attrs[name]
			if first := l.locals[name]; first != nil {
				early, late := first, &local{name: name, attr: a, path: "locals", value: cty.DynamicVal}
				l.fail(late.attr.NameRange, "locals", "Duplicate local value",
					fmt.Sprintf("There is already a local value %q, at %s. Rename one of them.", name, place(early.attr.NameRange)))
				continue
			}
			l.locals[name] = &local{name: name, attr: a, path: "locals", value: cty.DynamicVal}
		}
	}
	for _, name := range sortedKeys(l.locals) {
		l.compute(l.locals[name], nil)
	}
	values := map[string]cty.Value{}
	for name, v := range l.locals {
		values[name] = v.value
	}
	l.root.Variables["local"] = cty.ObjectVal(values)
}

// compute evaluates one local value after those that it needs. chain is how we came to it.
func (l *loader) compute(v *local, chain []*local) {
	switch v.state {
	case 2:
		return
	case 1:
		l.failCycle(v, chain)
		return
	}
	v.state = 1
	chain = append(chain, v)
	needed := map[string]cty.Value{}
	for _, t := range v.attr.Expr.Variables() {
		if t.RootName() != "local" {
			continue
		}
		if name, ok := secondName(t); ok && l.locals[name] != nil {
			l.compute(l.locals[name], chain)
			needed[name] = l.locals[name].value
		}
	}
	v.state = 2
	ctx := l.root.NewChild()
	ctx.Variables = map[string]cty.Value{"local": cty.ObjectVal(needed)}
	if value, ok := l.eval(ctx, v.attr.Expr, nil, v.path); ok {
		v.value = value
	}
}

func (l *loader) failCycle(v *local, chain []*local) {
	var names []string
	for i, c := range chain {
		if c == v {
			for _, c := range chain[i:] {
				names = append(names, "local."+c.name)
			}
		}
	}
	names = append(names, "local."+v.name)
	l.fail(v.attr.NameRange, v.path, "Local values in a circle", fmt.Sprintf("%s: each needs the next. Write one of them out.", strings.Join(names, " → ")))
}
