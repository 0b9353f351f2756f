package report

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gameday/runner/journal"
)

// unpublished is what a public reader may not find anywhere.
var unpublished = []string{"zelda", "quark", "brannigan", "leela", "turanga", "wong", "orion-db-07", "web42", "saturn_cache_3", "pluto", "mercury-prod", "internal.acme", "203.0.113.77", "2001:db8::77",
	"planet-express", "nibbler", "/v1/secret", "hermes", "02:42:ac:11:00:07", "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"}

const toldByPeople = " Zelda Quark asked for it; so did our Brannigan, Dr. Leela and A. Wong, zelda.quark@internal.acme, and @nibbler." +
	" It ran on orion-db-07, web42, saturn_cache_3, mercury-prod:9100 and pluto, at 203.0.113.77:80 and [2001:db8::77]:443 (02:42:ac:11:00:07)," +
	" see https://hermes:pw@planet-express.internal.acme:8443/v1/secret and 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d."

// withNames puts names and addresses into all that people wrote, in whatever event it stands.
func withNames(v any, parent, key string) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if key == "labels" {
				continue
			}
			v[k] = withNames(x, key, k)
		}
		if key == "variables" {
			v["web42_url"] = "https://planet-express.internal.acme"
		}
		if key == "labels" {
			v["server"], v["owner"], v["address"] = "pluto", "Turanga", "203.0.113.77:9100"
		}
	case []any:
		for i, x := range v {
			v[i] = withNames(x, parent, key)
		}
	case string:
		switch {
		case harmless(v) && key != "text":
			return v
		case key == "who" || key == "by" && !codes[v] || key == "name" && parent == "observers":
			return "Zelda Quark"
		case proseKeys[key] && parent != "templates", slices.Contains([]string{"does", "seen", "undo", "undo_words", "by_hand", "differences", "selector"}, key),
			parent == "headings" || key == "text" && parent == "":
			return v + toldByPeople
		case key == "text":
			return v + "\n\n" + toldByPeople + "\n"
		case key == "query":
			return v + ` and up{owner=~"(turanga|x)", instance="pluto:9100", host='orion-db-07'}`
		}
	}
	return v
}

// Whatever people are called, and wherever hosts and addresses are told of, the public does not read it in any form of the draft.
func TestThePublicReadsNoNamesInTexts(t *testing.T) {
	all := stories()
	delete(all, "hundred")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		rec := all[name]
		s := &story{&journal.Record{Name: rec.Name, Queries: map[string]*journal.Query{}, Damage: rec.Damage}}
		for _, x := range []struct {
			from []journal.Event
			to   *[]journal.Event
		}{{rec.Events, &s.rec.Events}, {rec.People, &s.rec.People}} {
			for _, e := range x.from {
				var tree map[string]any
				b, err := json.Marshal(e)
				if err == nil {
					err = json.Unmarshal(b, &tree)
				}
				if err != nil {
					t.Fatal(err)
				}
				tree["data"] = withNames(tree["data"], "", "")
				if e.Role() == "dba" {
					tree["actor"] = "role:Zelda Quark"
				}
				b, err = json.Marshal(tree)
				var n journal.Event
				if err == nil {
					err = json.Unmarshal(b, &n)
				}
				if err != nil {
					t.Fatal(err)
				}
				n.Guard, n.People, n.After = e.Guard, e.People, e.After
				*x.to = append(*x.to, n)
			}
		}
		for id, q := range rec.Queries {
			n := *q
			n.Text, n.Samples = withNames(q.Text, "", "query").(string), slices.Clone(q.Samples)
			for i := range n.Samples {
				n.Samples[i].Series = slices.Clone(n.Samples[i].Series)
				for k := range n.Samples[i].Series {
					labels := maps.Clone(n.Samples[i].Series[k].Labels)
					if labels == nil {
						labels = map[string]string{}
					}
					labels["server"], labels["owner"], labels["address"] = "pluto", "Turanga", "203.0.113.77:9100"
					n.Samples[i].Series[k].Labels = labels
				}
			}
			s.rec.Queries[id] = &n
		}
		if len(s.rec.Events) > 2 && !slices.ContainsFunc(s.rec.Events, func(e journal.Event) bool { return e.Payload.Kind() == "report.declared" }) {
			approver, list, note := field("approver", "string", `"Turanga"`), field("told_to", "list(string)", `["Leela","sre"]`), field("note", "string", "")
			list.Label, approver.Description = "Contacts"+toldByPeople, toldByPeople
			note.Value, _ = json.Marshal(toldByPeople)
			s.declareReport(&journal.ReportDeclared{Fields: []journal.Field{approver, list, note}, Headings: map[string]string{"impact": "Impact on" + toldByPeople}})
		}
		d := BuildFor(s.rec, journal.AudiencePublic)
		out := everyForm(t, d)
		step, err := d.StepSummary("")
		if err != nil {
			t.Fatal(err)
		}
		out = strings.ToLower(out + string(step))
		for _, n := range unpublished {
			if n == "pluto" && len(s.rec.Queries) == 0 {
				continue // a word like any other, where no label has it
			}
			if i := strings.Index(out, n); i >= 0 {
				t.Errorf("%s: the public reads %q: …%s…", name, n, out[max(0, i-120):min(len(out), i+80)])
			}
		}
		for _, b := range breaches(t, d) {
			t.Errorf("%s: %s", name, b)
		}
	}
}

// What looks like a name or an address is replaced, and the words of the trade are not.
func TestRecognise(t *testing.T) {
	for in, want := range map[string]string{
		"Hardly any checkout fails, whatever the store does.":                                                       "",
		"In March a frozen store took checkout down for 40 minutes. We added a timeout.":                            "",
		"After the Redis failover Kubernetes restarts it; p99 stays below 200ms, see CHG-1042 and RFC-2616, UTF-8.": "",
		"Checkout Survives A Frozen Store":                                                                          "",
		"Then Zelda restarts it, on db-3.":                                                                          "Then name 2 restarts it, on name 1.",
		"Zelda Quark restarts it. Quark's pager rang.":                                                              "name 1 restarts it. name 1's pager rang.",
		"Owner: Zelda": "Owner: name 1",
		"mail ops@shop.example or zelda@shop.example":                      "mail address 1 or address 2",
		"10.0.0.7:80 answers, 10.0.0.0/8 does not, at 10:05:31":            "address 1:80 answers, address 2/8 does not, at 10:05:31",
		"checkout_p99 of CheckoutSlow on web07 and web07.eu.local":         "checkout_p99 of CheckoutSlow on name 2 and name 1",
		"http2, ipv6, tier1, step 2, v0.315.0, 1.5 * baseline":             "",
		"db-7.shop.example froze, for example; the checkout team of Zelda": "name 1 froze, for example; the checkout team of name 2",
		"the shop's database": "",
	} {
		r := newRedactor(true)
		r.own("CheckoutSlow")
		r.recogniseText(in, true)
		r.settle()
		if want == "" {
			want = in
		}
		if got := r.scrub(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// A role that consists of words for roles stays; anybody else is a participant, the same throughout.
func TestRolesForThePublic(t *testing.T) {
	r := newRedactor(true)
	for _, x := range [][2]string{{"sre", "sre"}, {"on-call", "on-call"}, {"Incident Commander", "Incident Commander"}, {"dba 2", "dba 2"}, {"Zelda", "participant 1"}, {"zelda@shop.example", "participant 2"},
		{"Zelda", "participant 1"}, {"", ""}} {
		if got := r.role(x[0]); got != x[1] {
			t.Errorf("%q is %q, want %q", x[0], got, x[1])
		}
	}
	r.recogniseText("Ask Zelda Quark.", true)
	r.settle()
	if got := r.scrub("zelda was on-call, Zelda Quark too"); got != "participant 1 was on-call, participant 1 too" {
		t.Error(got)
	}
}

var nameOfFile = regexp.MustCompile(`File|Dir$|Beat$`)

// The public reads every word that gameday itself writes down, such as the reasons of verdicts: they name nobody.
func TestOwnWordsAreHarmless(t *testing.T) {
	files, err := filepath.Glob("../runner/journal/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				for i, x := range v.Values {
					lit, ok := x.(*ast.BasicLit)
					if !ok || lit.Kind != token.STRING || !v.Names[i].IsExported() || nameOfFile.MatchString(v.Names[i].Name) {
						continue
					}
					if word, _ := strconv.Unquote(lit.Value); !harmless(word) {
						t.Errorf("%s: %s, %q, is left out", path, v.Names[i].Name, word)
					}
				}
			}
		}
	}
}
