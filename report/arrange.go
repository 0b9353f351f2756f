package report

import (
	"encoding/json"
	"regexp"
	"slices"
	"time"
	_ "time/tzdata" // a zone has the same rules on a machine that knows none

	"gameday/runner/journal"
)

// A SectionID names a section that drafts have. A fixed one is in every draft, at its own place and as it is.
type SectionID struct {
	ID    string
	Fixed bool
}

// SectionIDs are the sections of drafts in their usual order.
func SectionIDs() []SectionID {
	var out []SectionID
	for _, p := range order {
		out = append(out, SectionID{p.id, fixed(p.id)})
	}
	return out
}

// fixed says that nobody can take out or change a section: it says what a person must do, what was run, or where citations lead.
func fixed(id string) bool { return id == "attention" || id == "header" || id == "appendix" }

// contents is the table of contents as the scenario wants it. An id that this version does not know stands for nothing.
func (f *facts) contents() []part {
	wanted := f.custom.p.Sections
	if len(wanted) == 0 {
		return order
	}
	var first, chosen, last []part
	for _, p := range order {
		switch {
		case !fixed(p.id):
		case p.id == "appendix":
			last = append(last, p)
		default:
			first = append(first, p)
		}
	}
	for _, id := range wanted {
		if i := slices.IndexFunc(order, func(p part) bool { return p.id == id }); i >= 0 && !fixed(id) {
			chosen = append(chosen, order[i])
		}
	}
	return slices.Concat(first, chosen, last)
}

// has says whether the draft has a section.
func (d *Draft) has(id string) bool {
	return slices.ContainsFunc(d.Sections, func(s Section) bool { return s.ID == id })
}

// arranged gives a section the heading and the setting that the scenario wants for it.
func (f *facts) arranged(s Section) Section {
	if fixed(s.ID) {
		return s
	}
	s = f.templated(s)
	if h := f.custom.p.Headings[s.ID]; h != "" {
		s.Title = visible(h)
	}
	return s
}

var (
	pageLink = regexp.MustCompile(` href="#([^"]*)"`)
	pageID   = regexp.MustCompile(` id="([^"]*)"`)
)

// withoutStrayLinks takes out of a page the links to what the scenario wants left out. What they stood on stays.
func (f *facts) withoutStrayLinks(page []byte) []byte {
	if f.custom.id == "" {
		return page
	}
	ids := map[string]bool{}
	for _, m := range pageID.FindAllSubmatch(page, -1) {
		ids[string(m[1])] = true
	}
	return pageLink.ReplaceAllFunc(page, func(link []byte) []byte {
		if ids[string(pageLink.FindSubmatch(link)[1])] {
			return link
		}
		return nil
	})
}

// zone is the time zone of a name; nil, which stands for UTC, where there is none of that name.
func zone(name string) *time.Location {
	if name == "Local" { // of whoever renders
		return nil
	}
	l, err := time.LoadLocation(name)
	if err != nil || l == time.UTC {
		return nil
	}
	return l
}

// fieldRows are the fields that the scenario declares, for the header.
func (f *facts) fieldRows() Facts {
	var out Facts
	for _, x := range f.custom.p.Fields {
		out = append(out, row([]string{f.custom.id}, words("{}", Prose(fieldLabel(x))), words("{}", fieldValue(x))))
	}
	return out
}

func fieldLabel(x journal.Field) string {
	if x.Label != "" {
		return x.Label
	}
	return x.Name
}

// fieldValue is a field's value as a sentence shows it.
func fieldValue(x journal.Field) Value {
	var v any
	if json.Unmarshal(x.Value, &v) != nil || v == nil {
		return Word("not given")
	}
	show := func(v any) Value {
		if text, ok := v.(string); ok {
			return Prose(text)
		}
		b, _ := json.Marshal(v) // it was JSON just now
		return Name(b)
	}
	list, ok := v.([]any)
	if !ok {
		return show(v)
	}
	out := List{}
	for _, e := range list {
		out = append(out, show(e))
	}
	return out
}

// A jsonField is a field for programs.
type jsonField struct {
	Name        string          `json:"name"`
	Label       string          `json:"label"`
	Description string          `json:"description"`
	Type        string          `json:"type"`
	Value       json.RawMessage `json:"value"` // null: not given
	Evidence    []string        `json:"evidence"`
}

func (f *facts) jsonFields() []jsonField {
	out := []jsonField{}
	for _, x := range f.custom.p.Fields {
		j := jsonField{x.Name, fieldLabel(x), x.Description, x.Type, x.Value, []string{f.custom.id}}
		if !json.Valid(j.Value) {
			j.Value = json.RawMessage("null")
		}
		out = append(out, j)
	}
	return out
}
