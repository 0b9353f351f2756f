package scenarios

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Limits on what is handed to the parser. It is recursive, and a stack that overflows cannot be recovered from.
const (
	largestFile    = 1 << 20 // bytes
	deepestNesting = 500     // brackets, and operators between two commas
)

var errTooDeep = errors.New("too deep")

// clean checks that a file's bytes can be parsed safely, and returns them as they are parsed: without a byte order mark,
// with newlines instead of carriage returns. Lines and columns stay what an editor shows.
func clean(path string, raw []byte) ([]byte, *hcl.Diagnostic) {
	if len(raw) > largestFile {
		return nil, fileDiagnostic(path, "File too large",
			fmt.Sprintf("A scenario file has at most %d MiB; this one is larger. Is it a scenario file? Split it if it is.", largestFile>>20))
	}
	if bytes.HasPrefix(raw, []byte("\xff\xfe")) || bytes.HasPrefix(raw, []byte("\xfe\xff")) {
		return nil, fileDiagnostic(path, "File is UTF-16", "Scenario files are UTF-8. Save it as UTF-8.")
	}
	text := bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text) {
		return nil, fileDiagnostic(path, "Not a text file",
			"It holds bytes that are not UTF-8 text. Is it a scenario file? Save it as UTF-8 if it is.")
	}
	return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), nil
}

// nestingNative finds the place where a text of HCL is nested too deeply for the parser.
func nestingNative(path string, text []byte) *hcl.Diagnostic {
	tokens, _ := hclsyntax.LexConfig(text, path, hcl.InitialPos)
	if at := tooDeep(tokens); at != nil {
		return tooDeepDiagnostic(*at)
	}
	return nil
}

func tooDeepDiagnostic(at hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Nested too deeply",
		Detail:   fmt.Sprintf("More than %d brackets and operators are nested here. Split the expression with locals.", deepestNesting),
		Subject:  &at,
	}
}

// tooDeep walks over tokens and bounds the depth of the syntax tree that they can make: open brackets plus operators, counted
// anew at every comma, and at every end of a line that ends an argument.
func tooDeep(tokens hclsyntax.Tokens) *hcl.Range {
	type level struct {
		kind      hclsyntax.TokenType
		operators int
	}
	stack := []level{{kind: hclsyntax.TokenOBrace}}
	sum := 0
	for i := range tokens {
		t := &tokens[i]
		top := &stack[len(stack)-1]
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp:
			top.operators++
			sum += 2
			stack = append(stack, level{kind: t.Type})
		case hclsyntax.TokenTemplateControl:
			// Directives nest without closing brackets, so they count for their template as well.
			top.operators++
			sum += 2
			stack = append(stack, level{kind: t.Type})
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
			hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			if len(stack) > 1 {
				sum -= 1 + top.operators
				stack = stack[:len(stack)-1]
				if t.Type == hclsyntax.TokenTemplateSeqEnd && top.kind == hclsyntax.TokenTemplateInterp {
					// The parts of a template stand side by side.
					stack[len(stack)-1].operators--
					sum--
				}
			}
		case hclsyntax.TokenComma:
			sum -= top.operators
			top.operators = 0
		case hclsyntax.TokenNewline:
			if top.kind == hclsyntax.TokenOBrace {
				sum -= top.operators
				top.operators = 0
			}
		case hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent,
			hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq,
			hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq, hclsyntax.TokenAnd, hclsyntax.TokenOr,
			hclsyntax.TokenBang, hclsyntax.TokenQuestion, hclsyntax.TokenColon, hclsyntax.TokenDot:
			top.operators++
			sum++
		}
		if sum > deepestNesting {
			return t.Range.Ptr()
		}
	}
	return nil
}

// nestingExpression does the same for a text that is parsed as one expression or one template.
func nestingExpression(text string) error {
	expression, _ := hclsyntax.LexExpression([]byte(text), "", hcl.InitialPos)
	template, _ := hclsyntax.LexTemplate([]byte(text), "", hcl.InitialPos)
	if tooDeep(expression) != nil || tooDeep(template) != nil {
		return errTooDeep
	}
	return nil
}

// nestingJSON finds out whether JSON text, or a template in one of its strings, is nested too deeply.
func nestingJSON(path string, text []byte) *hcl.Diagnostic {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	depth := 0
	for {
		token, err := decoder.Token()
		if err != nil {
			if !errors.Is(err, io.EOF) && jsonDepth(text) > deepestNesting {
				break
			}
			return nil // the parser says it better, with a place
		}
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
			} else {
				depth--
			}
			if depth > deepestNesting {
				return tooDeepDiagnostic(lineRange(path, text, decoder.InputOffset()))
			}
		case string:
			if len(t) > deepestNesting && nestingExpression(t) != nil {
				return tooDeepDiagnostic(lineRange(path, text, decoder.InputOffset()))
			}
		}
	}
	return tooDeepDiagnostic(lineRange(path, text, 0))
}

// jsonDepth is the depth of brackets in text that is not JSON.
func jsonDepth(text []byte) int {
	depth, deepest := 0, 0
	for _, c := range text {
		switch c {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth = max(depth-1, 0)
		}
	}
	return deepest
}

func lineRange(path string, text []byte, offset int64) hcl.Range {
	offset = min(offset, int64(len(text)))
	line := 1 + bytes.Count(text[:offset], []byte("\n"))
	pos := hcl.Pos{Line: line, Column: 1, Byte: bytes.LastIndexByte(text[:offset], '\n') + 1}
	return hcl.Range{Filename: path, Start: pos, End: hcl.Pos{Line: line, Column: 2, Byte: pos.Byte + 1}}
}
