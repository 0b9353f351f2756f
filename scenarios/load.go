package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
)

// Endings of the files that are read.
const (
	nativeSuffix  = ".gameday.hcl"
	jsonSuffix    = ".gameday.json"
	varFileSuffix = ".gamedayvars.hcl"
)

// Options say how a workspace is loaded.
type Options struct {
	Vars     []string // values of variables, "name=value"; they win over everything else
	VarFiles []string // files of values; a later one wins
	// Env looks up environment variables, for env() and for GAMEDAY_VAR_name; nil: os.LookupEnv.
	Env func(string) (string, bool)
	// CheckQuery says what is wrong with a query for a source; nil: queries are not checked. It is handed in because this
	// package does not know Prometheus.
	CheckQuery func(query string, s *Source) error
	// CheckSelector does the same for a selector of series.
	CheckSelector func(selector string) error
	// CheckRules says which alerts a file of rules declares, or what is wrong with it, with the file's lines; nil: rules are not
	// looked into.
	CheckRules func(file string, text []byte) (alerts []string, err error)
	// Sections are those that reports have, in their usual order; nil: their ids are not checked. This package does not know reports.
	Sections []ReportSection
	// CheckTemplate says what is wrong with a section template, given the names of the fields; nil: templates are not looked into.
	CheckTemplate func(text []byte, fields []string) []TemplateProblem
}

// A source is one file while it is loaded.
type source struct {
	path   string
	raw    []byte
	text   []byte // what was parsed
	file   *hcl.File
	broken bool // it could not be parsed
	lines  [][]byte
}

// A loader holds what is known while a workspace is read.
type loader struct {
	options   Options
	files     []*source
	varFiles  []*source
	directory bool // names are shared between files
	diags     hcl.Diagnostics
	ws        *Workspace

	root      *hcl.EvalContext // var, local and the functions
	variables map[string]*variable
	locals    map[string]*local
	targets   map[string]*Target
	sources   map[string]*Source
	unset     string           // the environment variable that env() missed last
	secrets   []hcl.Expression // expressions whose literals must not be copied
	rules     []RuleFile       // all files of rules, each once
	templates []Template       // all files of section templates, each once
	defaults  Report           // for the reports of all scenarios
	fields    []Field          // of the reports of all scenarios

	brokenRules map[string]bool // by source: a file of its rules could not be read
}

// Load reads a file, or every scenario file of a directory in name order as one namespace. The workspace is nil if there is
// an error. Warnings come with a workspace.
func Load(path string, o Options) (*Workspace, Diagnostics) {
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
	l := &loader{options: o, ws: &Workspace{}}
	if l.read(path) {
		l.decode()
	}
	files := append(l.files[:len(l.files):len(l.files)], l.varFiles...)
	if len(l.diags) > 0 {
		for _, f := range files {
			text := l.masked(f)
			if f.broken {
				text = maskedByName(f.text)
			}
			f.lines = bytes.Split(text, []byte("\n"))
		}
	}
	ds := diagnostics(l.diags, files)
	if ds.HasErrors() {
		return nil, ds
	}
	return l.ws, ds
}

// read opens and parses the files. With a syntax error nothing else is looked at: what is missing because of it would be
// reported as further mistakes.
func (l *loader) read(path string) bool {
	paths, isDir, d := scenarioFiles(path)
	if d != nil {
		l.diags = append(l.diags, d)
		return false
	}
	l.directory = isDir
	for _, p := range paths {
		s, diags := parse(p)
		l.files = append(l.files, s)
		l.diags = append(l.diags, diags...)
	}
	return !l.diags.HasErrors()
}

// scenarioFiles lists the files that a path stands for.
func scenarioFiles(path string) (paths []string, isDir bool, d *hcl.Diagnostic) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, false, openProblem(path, err)
	}
	if !info.IsDir() {
		if !strings.HasSuffix(path, nativeSuffix) && !strings.HasSuffix(path, jsonSuffix) {
			return nil, false, fileDiagnostic(path, "Not a scenario file",
				fmt.Sprintf("The names of scenario files end in %s or %s. Rename it, or give the right file.", nativeSuffix, jsonSuffix))
		}
		return []string{path}, false, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, true, openProblem(path, err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), nativeSuffix) || strings.HasSuffix(e.Name(), jsonSuffix) {
			paths = append(paths, filepath.Join(path, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, true, fileDiagnostic(path, "No scenario files",
			fmt.Sprintf("The directory holds no file whose name ends in %s or %s. Write one (gameday init does), or give another directory.",
				nativeSuffix, jsonSuffix))
	}
	sort.Strings(paths)
	return paths, true, nil
}

// parse reads and parses one file.
func parse(path string) (*source, hcl.Diagnostics) {
	s := &source{path: path}
	raw, d := readLimited(path)
	if d != nil {
		return s, hcl.Diagnostics{d}
	}
	s.raw = raw
	if s.text, d = clean(path, raw); d != nil {
		return s, hcl.Diagnostics{d}
	}
	var diags hcl.Diagnostics
	if strings.HasSuffix(path, ".json") {
		if d := nestingJSON(path, s.text); d != nil {
			return s, hcl.Diagnostics{d}
		}
		s.file, diags = json.Parse(s.text, path)
		diags = firstCauses(diags)
	} else {
		s.file, diags = parseNative(path, s.text)
	}
	s.broken = diags.HasErrors()
	return s, diags
}

func parseNative(path string, text []byte) (*hcl.File, hcl.Diagnostics) {
	if d := nestingNative(path, text); d != nil {
		return nil, hcl.Diagnostics{d}
	}
	file, diags := hclsyntax.ParseConfig(text, path, hcl.InitialPos)
	explainTemplates(diags)
	explainOperators(diags, text)
	if file != nil && !diags.HasErrors() {
		checkDivisions(file.Body.(*hclsyntax.Body))
	}
	return file, firstCauses(diags)
}

// firstCauses leaves of the errors of a parser those that are probably mistakes of their own: one for each line, and none
// after a string that does not end.
func firstCauses(diags hcl.Diagnostics) hcl.Diagnostics {
	start := func(d *hcl.Diagnostic) hcl.Pos {
		if d.Subject == nil {
			return hcl.Pos{}
		}
		return d.Subject.Start
	}
	sort.SliceStable(diags, func(i, j int) bool { return start(diags[i]).Byte < start(diags[j]).Byte })
	var kept hcl.Diagnostics
	for _, d := range diags {
		if n := len(kept); n > 0 && start(kept[n-1]).Line == start(d).Line {
			continue
		}
		kept = append(kept, d)
		if d.Summary == "Invalid multi-line string" || d.Summary == "Unterminated template string" {
			break
		}
	}
	return kept
}

// explainTemplates adds what PromQL's writers run into: braces after $ and % mean something in quotes.
func explainTemplates(diags hcl.Diagnostics) {
	for _, d := range diags {
		switch d.Summary {
		case "Invalid template control keyword", "Extra characters after interpolation expression":
			// The parser's own words repeat what stands there, and that may be half a password.
			d.Detail = "In quotes ${ and %{ begin a template. Where the characters themselves are meant, write $${ and %%{."
		}
	}
}

// explainOperators adds what people write who think in another language, or in PromQL.
func explainOperators(diags hcl.Diagnostics, text []byte) {
	meant := map[string]string{"=": "==", "and": "&&", "or": "||", "unless": "&& !", "<>": "!=", "=~": "regex()", "===": "=="}
	for _, d := range diags {
		if d.Summary != "Missing newline after argument" && d.Summary != "Invalid expression" || !d.Subject.CanSliceBytes(text) {
			continue
		}
		word := string(d.Subject.SliceBytes(text))
		if at := d.Subject.Start.Byte; at > 0 && (word == ">" || word == "=" || word == "~") {
			if two := string(text[at-1]) + word; meant[two] != "" {
				word = two
			}
		}
		switch {
		case word == "}":
			d.Detail += " Write the closing brace on a line of its own."
		case meant[word] != "":
			d.Detail += fmt.Sprintf(" For %s write %s.", word, meant[word])
		}
	}
}

// readLimited reads a file, but not more than can be a scenario: the path may name a device or a very large file.
func readLimited(path string) ([]byte, *hcl.Diagnostic) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, openProblem(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fileDiagnostic(path, "Not a file", "It is a directory or something else that cannot be read like a file. Give a regular file.")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, openProblem(path, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, largestFile+1))
	if err != nil {
		return nil, openProblem(path, err)
	}
	return raw, nil
}

func openProblem(path string, err error) *hcl.Diagnostic {
	var pathError *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist) && isLink(path):
		return fileDiagnostic(path, "Link to nowhere", "It is a link to a file that is not there. Remove it, or bring the file back.")
	case errors.Is(err, fs.ErrNotExist):
		return fileDiagnostic(path, "No such file or directory", "Check the path, or run gameday where it is.")
	case errors.Is(err, fs.ErrPermission):
		return fileDiagnostic(path, "File cannot be read", "Permission denied. Give yourself the right to read it.")
	case errors.As(err, &pathError):
		err = pathError.Err
	}
	return fileDiagnostic(path, "File cannot be read", fmt.Sprintf("The system says: %v.", err))
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// topLevel is what may stand at the top of a file.
var topLevel = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	{Type: "variable", LabelNames: []string{"name"}},
	{Type: "locals"},
	{Type: "prometheus", LabelNames: []string{"name"}},
	{Type: "target", LabelNames: []string{"name"}},
	{Type: "report"},
	{Type: "field", LabelNames: []string{"name"}},
	{Type: "scenario", LabelNames: []string{"name"}},
}}

// decode turns the parsed files into the workspace.
func (l *loader) decode() {
	var blocks hcl.Blocks
	for _, f := range l.files {
		c, diags := content(f.file.Body, topLevel)
		l.diags = append(l.diags, diags...)
		blocks = append(blocks, c.Blocks...)
	}
	of := blocks.ByType()
	l.root = &hcl.EvalContext{Functions: functions(func(name string) (string, bool) {
		v, ok := l.options.Env(name)
		if !ok {
			l.unset = name
		}
		return v, ok
	})}
	l.readVariables(of["variable"])
	l.readLocals(of["locals"])
	l.readTargets(of["target"])
	l.readSources(of["prometheus"])
	l.readReport(of["report"], of["field"])
	l.readScenarios(of["scenario"])
	if len(of["scenario"]) == 0 && !l.diags.HasErrors() {
		l.diags = append(l.diags, fileDiagnostic(l.files[0].path, "No scenario",
			`Nothing says what to do. Write a block scenario "name" { … } with at least one fault.`))
	}
	l.traceSecrets()
	for _, f := range l.files {
		l.ws.Files = append(l.ws.Files, File{
			Name:     filepath.Base(f.path),
			Path:     f.path,
			Source:   f.raw,
			Redacted: l.redact(f),
		})
	}
	l.ws.Files = append(append(l.ws.Files, l.ruleFiles()...), l.templateFiles()...)
	l.ws.Variables = l.variablesInForce()
}

// unique checks the name of a block and that it is the first of that name. Blocks that fail are reported here.
func (l *loader) unique(what string, b *hcl.Block, path string, seen map[string]hcl.Range) bool {
	name := b.Labels[len(b.Labels)-1]
	at := b.LabelRanges[len(b.LabelRanges)-1]
	if problem := nameProblem(name); problem != "" {
		l.fail(at, path, "Invalid name", fmt.Sprintf("%s Rename this %s.", problem, what))
		return false
	}
	if first, ok := seen[name]; ok {
		l.fail(at, path, "Duplicate "+what, fmt.Sprintf("There is already a %s %q, at %s. Rename one of them.", what, name, place(first)))
		return false
	}
	seen[name] = at
	return true
}

// place is a range in words.
func place(r hcl.Range) string {
	return fmt.Sprintf("%s line %d", r.Filename, r.Start.Line)
}

func toRange(r hcl.Range) Range {
	return Range{File: r.Filename, Line: r.Start.Line, Column: r.Start.Column}
}

// fail records an error.
func (l *loader) fail(at hcl.Range, block, summary, detail string) {
	l.report(hcl.DiagError, at, block, summary, detail)
}

func (l *loader) report(severity hcl.DiagnosticSeverity, at hcl.Range, block, summary, detail string) {
	d := &hcl.Diagnostic{Severity: severity, Summary: summary, Detail: detail, Subject: &at}
	if block != "" {
		d.Extra = block
	}
	l.diags = append(l.diags, d)
}

// add records hcl's own diagnostics.
func (l *loader) add(diags hcl.Diagnostics, block string) {
	explainTemplates(diags)
	for _, d := range diags {
		if unknown, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallUnknownDiagExtra](d); ok {
			name, names := unknown.CalledFunctionName(), sortedKeys(l.root.Functions)
			d.Detail = fmt.Sprintf("There is no function %q. The functions are %s.", clipped(name), inWords(names, "and"))
			if near := nearest(name, names); near != "" {
				d.Detail = fmt.Sprintf("There is no function %q. Did you mean %s()?", clipped(name), near)
			}
		}
		if block != "" {
			d.Extra = block
		}
		l.diags = append(l.diags, d)
	}
}
