package scenarios

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on every machine
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// A Report is what a scenario says of its report: block `report`, that of the scenario before that of the file's top level.
type Report struct {
	Audience  string            // "team", "organisation", "public"; empty: not given
	TimeZone  string            // a name of the IANA database; empty: not given
	Sections  []string          // ids, in order; empty: all
	Headings  map[string]string // by id
	Templates []Template
}

// A Template is a block `template "section"`: how one section of the report is set.
type Template struct {
	Section string
	Name    string // of its file, as in Workspace.Files
	Path    string // as it was opened
	Text    []byte
}

// A Field is a block `field "name"`: something that is to stand in the report, such as the number of a change.
type Field struct {
	Name        string
	Range       Range
	Label       string
	Description string
	Type        string // as written: "string", "number", "bool", "list(string)" …
	Value       string // JSON text; empty: it has none
	Private     bool
}

// A ReportSection is a section that reports have.
type ReportSection struct {
	ID    string
	Fixed bool // it is in every report, at its own place and as it is
}

// A TemplateProblem is something wrong in a section template.
type TemplateProblem struct {
	Line, Column int // count from 1
	What         string
}

// What is taken for meant.
const (
	largestTemplate = 64 << 10 // bytes
	longestHeading  = 120      // characters
	longestField    = 4 << 10  // bytes of JSON text
)

var (
	reportSchema = &hcl.BodySchema{
		Attributes: attributes("audience", "time_zone", "sections", "headings"),
		Blocks:     []hcl.BlockHeaderSchema{{Type: "template", LabelNames: []string{"section"}}},
	}
	templateSchema = &hcl.BodySchema{Attributes: attributes("file")}
	fieldSchema    = &hcl.BodySchema{Attributes: attributes("type", "value", "required", "label", "description", "private")}
)

// readReport reads what holds for the reports of all scenarios.
func (l *loader) readReport(reports, fields hcl.Blocks) {
	top := &block{l: l, blocks: append(slices.Clone(reports), fields...)}
	l.fields = top.fields(nil)
	l.defaults = top.report(Report{}, l.fields)
}

// reporting reads what a scenario says of its report. What it leaves open is as at the top level.
func (b *block) reporting(s *Scenario) {
	s.Fields = b.fields(b.l.fields)
	s.Report = b.report(b.l.defaults, s.Fields)
}

func (b *block) report(above Report, fields []Field) Report {
	hb := b.single("report")
	if hb == nil {
		return above
	}
	r, rb := above, b.l.open(hb, b.path, reportSchema)
	if rb.has("audience") {
		r.Audience = rb.one("audience", above.Audience, "team", "organisation", "public")
	}
	if zone, ok := rb.str("time_zone"); ok {
		if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
			rb.failAt("time_zone", "Unknown time zone", fmt.Sprintf(`%q is no name of a time zone. Write one of the IANA database, such as "UTC", "Europe/Berlin" or "America/New_York".`, clipped(zone)))
		} else {
			r.TimeZone = zone
		}
	}
	if rb.has("sections") {
		r.Sections = rb.sections()
	}
	rb.headings(&r)
	rb.templates(&r, fields)
	return r
}

// known says whether there is a section of an id that can be arranged, and reports it at a place if not.
func (b *block) known(id string, at hcl.Range, arranged bool) bool {
	if b.l.options.Sections == nil {
		return true // nobody has told which there are
	}
	var ids []string
	for _, s := range b.l.options.Sections {
		if s.ID == id && s.Fixed && arranged {
			b.l.fail(at, b.path, "Section is fixed", fmt.Sprintf("%q is in every report, as it is: it says what a person must do, what was run, or where each citation leads. Leave it as it is, or choose another section.", id))
			return false
		}
		if s.ID == id {
			return true
		}
		if !s.Fixed || !arranged {
			ids = append(ids, s.ID)
		}
	}
	b.l.fail(at, b.path, "Unknown section", fmt.Sprintf("A report has no section %q. %s", clipped(id), didYouMean(id, "", ids)))
	return false
}

func (b *block) sections() []string {
	ids, ok := b.strs("sections")
	if !ok {
		return nil
	}
	if len(ids) == 0 {
		b.failAt("sections", "Empty list", `A report has at least one section. Name one, or leave "sections" out for all of them.`)
	}
	for i, id := range ids {
		switch {
		case !b.known(id, b.at("sections"), false):
			return nil
		case slices.Contains(ids[:i], id):
			b.failAt("sections", "Duplicate section", fmt.Sprintf("%q is named twice. Name it once.", id))
			return nil
		}
	}
	return ids
}

func (b *block) headings(r *Report) {
	given, ok := b.strMap("headings", false)
	if !ok {
		return
	}
	all := map[string]string{}
	for id, text := range r.Headings {
		all[id] = text
	}
	for _, id := range sortedKeys(given) {
		text := strings.TrimSpace(given[id])
		switch {
		case !b.known(id, b.at("headings"), true):
			return
		case text == "" || utf8.RuneCountInString(text) > longestHeading || strings.ContainsFunc(text, unicode.IsControl):
			b.failAt("headings", "Invalid heading", fmt.Sprintf("A heading is one line of 1 to %d characters; that of %q is not.", longestHeading, id))
			return
		}
		all[id] = text
	}
	r.Headings = all
}

func (b *block) templates(r *Report, fields []Field) {
	all := slices.Clone(r.Templates)
	seen := map[string]hcl.Range{}
	for _, hb := range b.blocks.OfType("template") {
		t := b.l.open(hb, b.path, templateSchema)
		id, at := hb.Labels[0], hb.LabelRanges[0]
		if first, twice := seen[id]; twice {
			b.l.fail(at, t.path, "Duplicate template", fmt.Sprintf("There is already a template of the section %q, at %s. Leave one out.", clipped(id), place(first)))
			continue
		}
		seen[id] = at
		if !t.known(id, at, true) || !t.need("file", "the file of the template, counted from the directory of this one") {
			continue
		}
		if read, ok := t.template(id, fields); ok {
			all = slices.DeleteFunc(all, func(x Template) bool { return x.Section == id })
			all = append(all, read)
		}
	}
	r.Templates = all
}

// template reads the file of one.
func (b *block) template(section string, fields []Field) (Template, bool) {
	name, ok := b.str("file")
	if !ok {
		return Template{}, false
	}
	dir := filepath.Dir(b.at("file").Filename)
	path := name
	if !filepath.IsAbs(name) {
		path = filepath.Join(dir, name)
	}
	text, d := readLimited(path)
	switch {
	case d != nil:
		b.failAt("file", "Template cannot be read", fmt.Sprintf("%s: %s. %s Paths are counted from the directory of this file.", path, d.Summary, d.Detail))
		return Template{}, false
	case len(text) > largestTemplate:
		b.failAt("file", "Template cannot be read", fmt.Sprintf("%s has more than %d KiB. Is it the template of a section? Shorten it if it is.", path, largestTemplate>>10))
		return Template{}, false
	}
	t := Template{Section: section, Path: path, Text: text}
	if b.l.options.CheckTemplate != nil {
		var names []string
		for _, f := range fields {
			names = append(names, f.Name)
		}
		problems := b.l.options.CheckTemplate(text, names)
		for _, p := range problems {
			b.failAt("file", "Invalid template", fmt.Sprintf("%s:%d:%d: %s", path, p.Line, p.Column, p.What))
		}
		if len(problems) > 0 {
			return Template{}, false
		}
	}
	if i := slices.IndexFunc(b.l.templates, func(x Template) bool { return x.Path == path }); i >= 0 {
		t.Name = b.l.templates[i].Name
	} else {
		t.Name = b.l.nameInRecord(dir, path)
		b.l.templates = append(b.l.templates, t)
	}
	return t, true
}

// templateFiles are the files of templates for the workspace. There are no secrets in them.
func (l *loader) templateFiles() []File {
	var out []File
	for _, t := range l.templates {
		out = append(out, File{Name: t.Name, Path: t.Path, Source: t.Text, Redacted: t.Text})
	}
	return out
}

// fields reads the field blocks in their order. One that stands above with the same name is replaced at its place.
func (b *block) fields(above []Field) []Field {
	all := slices.Clone(above)
	seen := map[string]hcl.Range{}
	for _, hb := range b.blocks.OfType("field") {
		f := b.l.open(hb, b.path, fieldSchema)
		if !b.l.unique("field", hb, f.path, seen) {
			continue
		}
		read := f.field(hb.Labels[0])
		if i := slices.IndexFunc(all, func(x Field) bool { return x.Name == read.Name }); i >= 0 {
			all[i] = read
		} else {
			all = append(all, read)
		}
	}
	return all
}

func (b *block) field(name string) Field {
	f := Field{Name: name, Range: toRange(b.def), Type: "string"}
	f.Label, _ = b.str("label")
	f.Description, _ = b.str("description")
	f.Private, _ = b.boolean("private")
	required, _ := b.boolean("required")
	typ := cty.String
	if a := b.attrs["type"]; a != nil {
		t, diags := typeexpr.TypeConstraint(a.Expr)
		if diags.HasErrors() || !t.IsPrimitiveType() && !(t.IsListType() && t.ElementType().IsPrimitiveType()) {
			b.failAt("type", "Unknown type", "A field is of the type string, number, bool, or a list of these: list(string).")
			return f
		}
		typ, f.Type = t, typeexpr.TypeString(t)
	}
	value, ok := b.fieldValue(typ)
	if !ok {
		return f
	}
	f.Value = value
	if required && value == "" {
		detail := fmt.Sprintf("%q is required and has no value. Give it one: value = …", name)
		if a := b.attrs["value"]; a != nil {
			if v := a.Expr.Variables(); len(v) == 1 && v[0].RootName() == "var" && len(v[0]) > 1 {
				if attr, ok := v[0][1].(hcl.TraverseAttr); ok {
					detail = fmt.Sprintf("%q is required and has no value. Set it with -var '%s=…', in a -var-file or with %s%s.", name, attr.Name, variablePrefix, attr.Name)
				}
			}
		}
		b.l.fail(b.at("value"), b.path, "Field without a value", detail)
	}
	return f
}

// fieldValue reads a field's value as JSON text; empty if it is null, an empty text or an empty list. It is false where that is not
// known or was reported.
func (b *block) fieldValue(typ cty.Type) (string, bool) {
	a := b.attrs["value"]
	if a == nil {
		return "", true
	}
	v, ok := b.l.eval(b.l.root, a.Expr, nil, b.path)
	if !ok {
		return "", false
	}
	v, marks := v.UnmarkDeep()
	if len(marks) > 0 {
		b.l.failSecret(a.Expr.Range(), b.path, "value", marks)
		return "", false
	}
	if !v.IsWhollyKnown() {
		return "", false
	}
	if v.IsNull() {
		return "", true
	}
	converted, err := convert.Convert(v, typ)
	if err != nil {
		b.failType("value", "of the type "+typeexpr.TypeString(typ), v)
		return "", false
	}
	switch {
	case typ == cty.String && strings.TrimSpace(converted.AsString()) == "", typ.IsListType() && converted.LengthInt() == 0:
		return "", true
	case typ.IsListType():
		for it := converted.ElementIterator(); it.Next(); {
			if _, e := it.Element(); e.IsNull() {
				b.failAt("value", "Null value", "A list in a report has no null in it. Leave it out.")
				return "", false
			}
		}
	}
	text, err := ctyjson.Marshal(converted, typ)
	if err != nil || len(text) > longestField {
		b.failAt("value", "Value too long", fmt.Sprintf("The value of a field takes up to %d KiB. Put what is longer into the draft.", longestField>>10))
		return "", false
	}
	return string(text), true
}
