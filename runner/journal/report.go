package journal

import "encoding/json"

var _ = register[ReportDeclared]()

// ReportDeclared is how the report of a run is to be drawn, and the fields that the people who ordered it want in it. It is written
// before the baseline. A run whose scenario says nothing of its report has none.
type ReportDeclared struct {
	Audience  Audience          `json:"audience,omitempty"`  // empty: the team
	TimeZone  string            `json:"time_zone,omitempty"` // a name of the IANA database; empty: UTC
	Sections  []string          `json:"sections,omitempty"`  // ids, in the order in which they are to stand; empty: all, in the usual order
	Headings  map[string]string `json:"headings,omitempty"`  // by id of a section, in the place of its own
	Templates []SectionTemplate `json:"templates,omitempty"`
	Fields    []Field           `json:"fields,omitempty"` // in the order of the scenario
}

// Kind returns "report.declared".
func (*ReportDeclared) Kind() string { return "report.declared" }

// An Audience is whom a report is for. It decides what is left out.
type Audience string

// The audiences, from the one that reads everything to the one that reads least.
const (
	AudienceTeam         Audience = "team"
	AudienceOrganisation Audience = "organisation" // without private fields
	AudiencePublic       Audience = "public"       // without names of containers, hosts and the like, queries, and people's words
)

// A SectionTemplate says how one section is set.
type SectionTemplate struct {
	Section string `json:"section"`
	File    string `json:"file"` // as copied to scenario/
	Text    string `json:"text"`
}

// A Field is something that the people who ordered a rehearsal want to read in its report, such as the number of a change.
type Field struct {
	Name        string          `json:"name"`
	Label       string          `json:"label,omitempty"`
	Description string          `json:"description,omitempty"`
	Type        string          `json:"type"`            // as declared: "string", "number", "bool", "list(string)" …
	Value       json.RawMessage `json:"value,omitempty"` // absent: it was not given
	Private     bool            `json:"private,omitempty"`
}
