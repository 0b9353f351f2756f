package scenarios

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Severities of a Diagnostic.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)

// A Diagnostic is one mistake: what is wrong, where, and what to do. Lines and columns count from 1; they are 0 where there
// is no place in a file. A column is one visible character.
type Diagnostic struct {
	Severity  string `json:"severity"` // "error" or "warning"
	Summary   string `json:"summary"`
	Detail    string `json:"detail,omitempty"`
	File      string `json:"file,omitempty"` // as it was opened, or where else it comes from: "-var error_budget"
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	EndLine   int    `json:"end_line,omitempty"`
	EndColumn int    `json:"end_column,omitempty"` // the first column after it
	Block     string `json:"block,omitempty"`      // the enclosing blocks: `scenario "x", fault "pause" "y"`
	Snippet   string `json:"snippet,omitempty"`    // the line; empty if it is too long to be shown
}

// Error makes a Diagnostic an error of one line.
func (d Diagnostic) Error() string {
	var b strings.Builder
	if d.File != "" {
		b.WriteString(d.File)
		if d.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", d.Line, d.Column)
		}
		b.WriteString(": ")
	}
	b.WriteString(d.Summary)
	if d.Detail != "" {
		b.WriteString(": " + d.Detail)
	}
	return b.String()
}

// Diagnostics are all the mistakes that were found, in the order of files and lines.
type Diagnostics []Diagnostic

// HasErrors says whether there is more than warnings.
func (ds Diagnostics) HasErrors() bool {
	for _, d := range ds {
		if d.Severity == SeverityError {
			return true
		}
	}
	return false
}

// longestSnippet is the length in bytes of the longest line that is shown.
const longestSnippet = 1000

// diagnostics turns hcl's diagnostics into ours: sorted, without repetitions, with blocks and lines.
func diagnostics(hds hcl.Diagnostics, files []*source) Diagnostics {
	byName := make(map[string]*source, len(files))
	order := make(map[string]int, len(files))
	for i, f := range files {
		byName[f.path] = f
		order[f.path] = i
	}
	var ds Diagnostics
	seen := map[Diagnostic]bool{}
	for _, h := range hds {
		d := Diagnostic{Severity: SeverityError, Summary: h.Summary, Detail: strings.TrimSpace(h.Detail)}
		if h.Severity == hcl.DiagWarning {
			d.Severity = SeverityWarning
		}
		if block, ok := h.Extra.(string); ok {
			d.Block = block
		}
		if h.Subject != nil {
			d.File = h.Subject.Filename
			if h.Subject.Start.Line > 0 {
				d.Line, d.Column = h.Subject.Start.Line, h.Subject.Start.Column
				d.EndLine, d.EndColumn = h.Subject.End.Line, h.Subject.End.Column
			}
			if f := byName[d.File]; f != nil && d.Line > 0 {
				d.Snippet = f.line(d.Line)
				if d.Block == "" && f.file != nil {
					d.Block = enclosing(f.file, h.Subject.Start)
				}
			}
		}
		if !seen[d] {
			seen[d] = true
			ds = append(ds, d)
		}
	}
	place := func(d Diagnostic) int {
		if i, ok := order[d.File]; ok {
			return i
		}
		return len(files) // the command line and the environment come last
	}
	sort.SliceStable(ds, func(i, j int) bool {
		a, b := ds[i], ds[j]
		if x, y := place(a), place(b); x != y {
			return x < y
		}
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	return ds
}

// enclosing names the blocks around a place, outermost first.
func enclosing(f *hcl.File, pos hcl.Pos) string {
	var names []string
	for _, b := range f.BlocksAtPos(pos) {
		names = append(names, blockName(b))
	}
	return strings.Join(names, ", ")
}

func blockName(b *hcl.Block) string {
	name := b.Type
	for _, l := range b.Labels {
		name += fmt.Sprintf(" %q", l)
	}
	return name
}

// line returns one line of a file, or nothing if it is too long to be shown.
func (s *source) line(n int) string {
	if s.lines == nil {
		s.lines = bytes.Split(s.text, []byte("\n"))
	}
	if n < 1 || n > len(s.lines) || len(s.lines[n-1]) > longestSnippet {
		return ""
	}
	return strings.TrimRight(string(s.lines[n-1]), "\r")
}

// fileDiagnostic is an error about a whole file.
func fileDiagnostic(path, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   detail,
		Subject:  &hcl.Range{Filename: path},
	}
}
