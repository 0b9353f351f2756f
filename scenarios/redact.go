package scenarios

import (
	"bytes"
	"regexp"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
)

const redacted = `"(redacted)"`

// traceSecrets adds what credentials are made of: the locals and the defaults of the variables that they name, and theirs.
func (l *loader) traceSecrets() {
	seen := map[string]bool{}
	for i := 0; i < len(l.secrets); i++ {
		for _, t := range l.secrets[i].Variables() {
			name, ok := secondName(t)
			key := t.RootName() + "." + name
			if !ok || seen[key] {
				continue
			}
			seen[key] = true
			if v := l.variables[name]; v != nil && t.RootName() == "var" {
				v.sensitive = true
				if a := v.block.attrs["default"]; a != nil {
					l.secrets = append(l.secrets, a.Expr)
				}
			}
			if v := l.locals[name]; v != nil && t.RootName() == "local" {
				l.secrets = append(l.secrets, v.attr.Expr)
			}
		}
	}
}

// secretRanges are the places of secrets in a file, in order and without overlaps.
func (l *loader) secretRanges(f *source) []hcl.Range {
	var found []hcl.Range
	for _, e := range l.secrets {
		if e.Range().Filename == f.path {
			found = append(found, literals(e)...)
		}
	}
	sort.Slice(found, func(i, j int) bool {
		a, b := found[i], found[j]
		if a.Start.Byte != b.Start.Byte {
			return a.Start.Byte < b.Start.Byte
		}
		return a.End.Byte > b.End.Byte
	})
	var ranges []hcl.Range
	at := 0
	for _, r := range found {
		if r.Start.Byte >= at && r.CanSliceBytes(f.text) {
			ranges = append(ranges, r)
			at = r.End.Byte
		}
	}
	return ranges
}

// redact returns a file's text with every literal in a credential replaced. It loads as the file itself does.
func (l *loader) redact(f *source) []byte {
	var out bytes.Buffer
	at := 0
	for _, r := range l.secretRanges(f) {
		out.Write(f.text[at:r.Start.Byte])
		out.WriteString(redacted)
		at = r.End.Byte
		if bytes.HasSuffix(r.SliceBytes(f.text), []byte("\n")) {
			out.WriteByte('\n')
		}
	}
	out.Write(f.text[at:])
	return out.Bytes()
}

// masked returns a file's text with a star for each character of a secret, so that lines and columns stay what they are.
func (l *loader) masked(f *source) []byte {
	var out bytes.Buffer
	at := 0
	for _, r := range l.secretRanges(f) {
		out.Write(f.text[at:r.Start.Byte])
		for _, c := range string(r.SliceBytes(f.text)) {
			if c != '\n' {
				c = '*'
			}
			out.WriteRune(c)
		}
		at = r.End.Byte
	}
	out.Write(f.text[at:])
	return out.Bytes()
}

// credentialLine is a line on which a credential probably stands: the name, and what follows it.
var credentialLine = regexp.MustCompile(`(?im)^.*?(?:password|passwd|bearer_token|authorization|token|secret|headers|api-?key)[^=:\n]*[=:](.*)$`)

// maskedByName is for a text that could not be parsed, so that nobody knows what is a secret in it: everything behind a name
// of a credential becomes stars.
func maskedByName(text []byte) []byte {
	var out bytes.Buffer
	at := 0
	for _, m := range credentialLine.FindAllSubmatchIndex(text, -1) {
		out.Write(text[at:m[2]])
		for _, c := range string(text[m[2]:m[3]]) {
			if c != ' ' {
				c = '*'
			}
			out.WriteRune(c)
		}
		at = m[3]
	}
	out.Write(text[at:])
	return out.Bytes()
}

// literals finds the strings and numbers in an expression that could be secrets.
func literals(e hcl.Expression) []hcl.Range {
	if json.IsJSONExpression(e) {
		pairs, diags := hcl.ExprMap(e)
		if diags.HasErrors() {
			return []hcl.Range{e.Range()}
		}
		var ranges []hcl.Range
		for _, p := range pairs {
			ranges = append(ranges, literals(p.Value)...)
		}
		return ranges
	}
	native, ok := e.(hclsyntax.Expression)
	if !ok {
		return []hcl.Range{e.Range()}
	}
	w := &literalFinder{harmless: map[hclsyntax.Node]bool{}}
	_ = hclsyntax.Walk(native, w)
	return w.ranges
}

// A literalFinder collects literals. The keys of maps and the names of environment variables are no secrets.
type literalFinder struct {
	harmless map[hclsyntax.Node]bool
	ranges   []hcl.Range
}

// Enter implements hclsyntax.Walker.
func (w *literalFinder) Enter(n hclsyntax.Node) hcl.Diagnostics {
	switch e := n.(type) {
	case *hclsyntax.ObjectConsKeyExpr:
		if literalText(e.Wrapped) != "" {
			w.harmless[e.Wrapped] = true
		}
	case *hclsyntax.FunctionCallExpr:
		if e.Name == "env" && len(e.Args) > 0 && literalText(e.Args[0]) != "" {
			w.harmless[e.Args[0]] = true
		}
	case *hclsyntax.TemplateExpr, *hclsyntax.TemplateWrapExpr:
		if !w.harmless[n] {
			w.ranges = append(w.ranges, n.Range())
		}
	case *hclsyntax.LiteralValueExpr:
		if e.Val.Type() == cty.Number {
			w.ranges = append(w.ranges, e.Range())
		}
	}
	return nil
}

// Exit implements hclsyntax.Walker.
func (w *literalFinder) Exit(hclsyntax.Node) hcl.Diagnostics { return nil }
