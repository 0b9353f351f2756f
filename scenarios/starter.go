package scenarios

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"
	"unicode"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// A StarterTarget is a service that gameday init has found. Compose names go before the container's own, because the
// containers of a service come and go.
type StarterTarget struct {
	Name           string // what to call it
	Container      string // name of the container
	ComposeProject string
	ComposeService string
	Image          string
	MetricsPort    int // where it answers with metrics; 0: not known
	Containers     int // how many match; of several only one is paused. 0 counts as 1
}

//go:embed starter.gameday.hcl.tmpl
var starterText string

var starterTemplate = template.Must(template.New("starter").Funcs(template.FuncMap{
	"quote": quote,
	"line":  oneLine,
}).Parse(starterText))

// Starter writes a scenario file to begin with: it loads, and it says in comments what to change. The first target is the one
// that is paused. project may be empty.
func Starter(project string, targets []StarterTarget) []byte {
	type row struct {
		StarterTarget
		ID string
	}
	data := struct {
		Project  string
		Scenario string
		Targets  []row
		First    row
		OneOf    string // the target that picks one of First's containers; empty where there is one only
		Metrics  []row
		Watched  *row // what the hypothesis is about
	}{Project: project}
	taken := map[string]bool{}
	if len(targets) == 0 {
		targets = []StarterTarget{{Name: "service", Container: "name-of-a-container"}}
	}
	for _, t := range targets {
		if t.Container == "" && t.ComposeService == "" && t.ComposeProject == "" && t.Image == "" {
			t.Container = t.Name
			if t.Container == "" {
				t.Container = "name-of-a-container"
			}
		}
		r := row{StarterTarget: t, ID: identifier(t.Name, "service", taken)}
		if t.MetricsPort < 1 || t.MetricsPort > 65535 {
			r.MetricsPort = 0
		}
		data.Targets = append(data.Targets, r)
		if r.MetricsPort > 0 {
			data.Metrics = append(data.Metrics, r)
		}
	}
	data.First = data.Targets[0]
	if data.First.Containers > 1 {
		data.OneOf = identifier("one_"+data.First.ID, "one", taken)
	}
	for i := range data.Metrics {
		// While a container is frozen its own metrics are silent, so another one is watched where there is one.
		if data.Watched == nil || data.Watched.ID == data.First.ID {
			data.Watched = &data.Metrics[i]
		}
	}
	data.Scenario = identifier(data.First.ID+"_freezes", "first", map[string]bool{})
	var out bytes.Buffer
	if err := starterTemplate.Execute(&out, data); err != nil {
		panic(fmt.Sprintf("scenarios: the starter's template does not fit its data: %v", err)) // a mistake in this package
	}
	return settle(out.Bytes())
}

// quote writes a string as HCL does, template signs escaped.
func quote(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(strings.ToValidUTF8(s, "\uFFFD"))).Bytes())
}

// oneLine makes text fit for a comment.
func oneLine(s string) string { return printable(strings.ToValidUTF8(s, "\uFFFD")) }

// identifier makes a name of the language that is not taken.
func identifier(s, fallback string, taken map[string]bool) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	name := strings.Trim(b.String(), "_")
	if len(name) > longestName-10 {
		name = strings.Trim(name[:longestName-10], "_")
	}
	if name == "" {
		name = fallback
	}
	if !hclsyntax.ValidIdentifier(name) {
		name = fallback + "_" + name
	}
	base := name
	for n := 2; taken[name]; n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	taken[name] = true
	return name
}
