package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// longestAlert bounds the name of an alert, in bytes. Prometheus has no bound of its own.
const longestAlert = 250

// A RuleFile is one file of Prometheus's alerting and recording rules.
type RuleFile struct {
	Name   string // as in Workspace.Files
	Path   string // as it was opened
	Text   []byte
	Alerts []string // the names of the alerts that it declares, each once, as far as Options.CheckRules told
}

var (
	alertSchema        = &hcl.BodySchema{Attributes: attributes("description", "within", "fires")}
	alertmanagerSchema = &hcl.BodySchema{
		Attributes: attributes("url", "headers", "bearer_token", "timeout"),
		Blocks:     []hcl.BlockHeaderSchema{{Type: "basic_auth"}, {Type: "tls"}},
	}
)

// rules reads the files of rules of an embedded source.
func (b *block) rules(s *Source) {
	if d, ok := b.duration("evaluation_interval", shortestInterval); ok {
		s.EvaluationInterval = d
	}
	if b.has("evaluation_interval") && !b.has("rules") {
		b.l.fail(b.attrs["evaluation_interval"].NameRange, b.path, "No rules to evaluate",
			`"evaluation_interval" says how often rules are evaluated, and there are none. Name their files in "rules", or leave this out.`)
	}
	mistakes := len(b.l.diags)
	defer func() {
		if len(b.l.diags) > mistakes {
			b.l.brokenRules[s.Name] = true
		}
	}()
	names, ok := b.strs("rules")
	if !ok {
		return
	}
	if len(names) == 0 {
		b.failAt("rules", "Empty list", `"rules" names at least one file of Prometheus rules. Name it, or leave "rules" out.`)
	}
	dir := filepath.Dir(b.at("rules").Filename)
	seen := map[string]bool{}
	for _, name := range names {
		for _, path := range b.rulePaths(dir, name) {
			if seen[path] {
				continue // of two patterns both may match
			}
			seen[path] = true
			if f, ok := b.l.ruleFile(b, dir, path); ok {
				s.Rules = append(s.Rules, f)
			}
		}
	}
}

// rulePaths are the files that one entry of rules stands for, as seen from the file that names it.
func (b *block) rulePaths(dir, name string) []string {
	path := name
	if !filepath.IsAbs(name) {
		path = filepath.Join(dir, name)
	}
	if !strings.ContainsAny(name, "*?[") {
		return []string{path}
	}
	found, err := filepath.Glob(path)
	if err != nil {
		b.failAt("rules", "Invalid pattern", fmt.Sprintf("%q is no pattern for names of files: a bracket is open. Close it, or name the file itself.", clipped(name)))
		return nil
	}
	found = slices.DeleteFunc(found, func(p string) bool {
		info, err := os.Stat(p)
		return err == nil && info.IsDir()
	})
	if len(found) == 0 {
		b.failAt("rules", "No rule files", fmt.Sprintf("No file matches %q, counted from the directory of this file. Correct the pattern.", clipped(name)))
	}
	return found
}

// ruleFile reads one file of rules. Several sources may name the same.
func (l *loader) ruleFile(b *block, dir, path string) (RuleFile, bool) {
	for _, f := range l.rules {
		if f.Path == path {
			return f, true
		}
	}
	text, d := readLimited(path)
	if d != nil {
		b.failAt("rules", "Rule file cannot be read", fmt.Sprintf("%s: %s. %s Paths are counted from the directory of this file.", path, d.Summary, d.Detail))
		return RuleFile{}, false
	}
	if len(text) > largestFile {
		b.failAt("rules", "Rule file cannot be read", fmt.Sprintf("%s has more than %d MiB. Is it a file of rules? Split it if it is.", path, largestFile>>20))
		return RuleFile{}, false
	}
	f := RuleFile{Name: l.nameInRecord(dir, path), Path: path, Text: text}
	if l.options.CheckRules != nil {
		alerts, err := l.options.CheckRules(path, text)
		if err != nil {
			b.failAt("rules", "Invalid rules", fmt.Sprintf("%v\nPrometheus would refuse this file. Correct it.", err))
			return RuleFile{}, false
		}
		f.Alerts = alerts
	}
	l.rules = append(l.rules, f)
	return f, true
}

// nameInRecord is under what name a file that scenario files in a directory name is copied into the record: its path from there, as far as
// that leads down.
func (l *loader) nameInRecord(dir, path string) string {
	name := filepath.Base(path)
	if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
		name = filepath.ToSlash(rel)
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(l.rules, func(f RuleFile) bool { return f.Name == name }) ||
			slices.ContainsFunc(l.templates, func(t Template) bool { return t.Name == name }) ||
			slices.ContainsFunc(l.files, func(s *source) bool { return filepath.Base(s.path) == name })
	}
	for n, ext := 2, filepath.Ext(name); taken(name); n++ {
		name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(filepath.Base(path), ext), n, ext)
	}
	return name
}

// ruleFiles are the files of rules for the workspace. There are no secrets in rules.
func (l *loader) ruleFiles() []File {
	var out []File
	for _, f := range l.rules {
		out = append(out, File{Name: f.Name, Path: f.Path, Source: f.Text, Redacted: f.Text})
	}
	return out
}

// alertmanager reads where a server's alerts go.
func (b *block) alertmanager() *Source {
	hb := b.single("alertmanager")
	if hb == nil {
		return nil
	}
	a := b.l.open(hb, b.path, alertmanagerSchema)
	s := &Source{Name: "alertmanager", Range: toRange(hb.DefRange)}
	if a.need("url", "the address of the Alertmanager, such as http://localhost:9093") {
		a.connection(s)
	}
	return s
}

// alerts reads the alert blocks of a scenario.
func (b *block) alerts(s *Scenario) {
	seen := map[string]hcl.Range{}
	for _, hb := range b.blocks.OfType("alert") {
		a := b.l.open(hb, b.path, alertSchema)
		name, at := hb.Labels[0], hb.LabelRanges[0]
		switch first, twice := seen[name]; {
		case strings.TrimSpace(name) == "" || len(name) > longestAlert:
			b.l.fail(at, a.path, "Invalid name", fmt.Sprintf("The name of an alert has 1 to %d bytes. Write it as the rule does.", longestAlert))
			continue
		case twice:
			b.l.fail(at, a.path, "Duplicate alert", fmt.Sprintf("There is already an alert %q, at %s. Put everything into one.", name, place(first)))
			continue
		}
		seen[name] = at
		alert := a.alert(name)
		a.declaredByRules(alert, s.Source, at)
		s.Alerts = append(s.Alerts, alert)
	}
}

func (b *block) alert(name string) *Alert {
	a := &Alert{Name: name, Range: toRange(b.def), Fires: true}
	a.Description, _ = b.str("description")
	if fires, ok := b.boolean("fires"); ok {
		a.Fires = fires
	}
	a.Within, _ = b.duration("within", time.Nanosecond)
	if a.Fires && !b.has("within") && !strings.Contains(b.wrong, `"within"`) {
		b.l.fail(b.missing, b.path, "Missing argument",
			`"within" is missing: how soon after the fault's effect the alert has to fire, such as "45s". Only with fires = false it may be left out: then the alert must not fire until the end.`)
	}
	return a
}

// declaredByRules checks that a rule of that name is known. A server's rules are its own business until the run.
func (b *block) declaredByRules(a *Alert, s *Source, at hcl.Range) {
	if s == nil || s.URL != "" || b.l.options.CheckRules == nil && len(s.Rules) > 0 {
		return
	}
	if b.l.brokenRules[s.Name] {
		return // one mistake is one message
	}
	if len(s.Rules) == 0 {
		b.l.fail(at, b.path, "No alerting rules", fmt.Sprintf(
			`prometheus.%s has no rules, so no alert can fire. Name the files of your alerting rules in it: rules = ["alerts.yml"].`, s.Name))
		return
	}
	var known []string
	for _, f := range s.Rules {
		known = append(known, f.Alerts...)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	if !slices.Contains(known, a.Name) {
		detail := fmt.Sprintf("No rule file of prometheus.%s declares an alert %q. %s", s.Name, clipped(a.Name), didYouMean(a.Name, "", known))
		if len(known) == 0 {
			detail = fmt.Sprintf("The rule files of prometheus.%s declare no alert at all, only recording rules.", s.Name)
		}
		b.l.fail(at, b.path, "Unknown alert", strings.TrimSpace(detail))
	}
}
