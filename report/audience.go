package report

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gameday/runner/journal"
)

// What stands in the place of what an audience does not read.
const (
	leftOut    = "(left out)"
	privateOut = "(private)"
)

// forAudience is the record as an audience may read it, whatever form it is put into afterwards. For the team it is the record itself. For
// the organisation private fields are taken out, and their values wherever else they stand. For the public everything is taken
// out that is not known to be harmless: times, numbers, our own words, and what the authors of the scenario named and described, in
// which the names of containers, hosts, images, networks and files are replaced by "container 1" and the like.
func forAudience(rec *journal.Record, a journal.Audience) *journal.Record {
	if a != journal.AudienceOrganisation && a != journal.AudiencePublic {
		return rec
	}
	r := newRedactor(a == journal.AudiencePublic)
	trees := map[string][]map[string]any{"events": r.read(rec.Events), "people": r.read(rec.People)}
	for _, q := range queriesOf(rec) {
		r.matchers(q.Text)
		for _, s := range q.Samples {
			for _, v := range s.Series {
				r.collectLabels(v.Labels)
			}
		}
	}
	if r.public { // when all is known that the record itself calls a container, a host or a role
		for _, of := range []string{"events", "people"} {
			for _, e := range trees[of] {
				r.recognise(e["data"], "", "")
			}
		}
	}
	r.settle()
	out := &journal.Record{Name: r.scrub(rec.Name), Queries: map[string]*journal.Query{}}
	out.Events = r.write(rec.Events, trees["events"], a)
	out.People = r.write(rec.People, trees["people"], a)
	for _, q := range queriesOf(rec) {
		out.Queries[q.ID] = r.query(q)
	}
	for _, d := range rec.Damage {
		d.What = r.scrub(d.What)
		out.Damage = append(out.Damage, d)
	}
	return out
}

// audienceOf is the audience that a run's scenario names: the team if it names none.
func audienceOf(rec *journal.Record) journal.Audience {
	for _, e := range rec.Events {
		if p, ok := e.Payload.(*journal.ReportDeclared); ok && p.Audience != "" {
			return p.Audience
		}
	}
	return journal.AudienceTeam
}

// audienceRow says in the header what the draft leaves out, and for whom.
func (f *facts) audienceRow() Facts {
	ids := cite(f.custom.id, f.first)[:1]
	switch f.audience {
	case journal.AudienceOrganisation:
		return Facts{row(ids, words("Audience"), words("the organisation: private fields are left out, and their values wherever else they stand"))}
	case journal.AudiencePublic:
		return Facts{row(ids, words("Audience"), words("the public: names of people, containers, hosts, images, networks and files are replaced, and addresses; queries, values of variables, what people said and what systems said are left out"))}
	}
	return nil
}

// queriesOf are the queries of a record under the ids that it has them by, in the order of these, so that series are numbered in one order.
func queriesOf(rec *journal.Record) (out []journal.Query) {
	for _, id := range slices.Sorted(maps.Keys(rec.Queries)) {
		if q := rec.Queries[id]; q != nil {
			x := *q
			x.ID = id
			out = append(out, x)
		}
	}
	return out
}

// A redactor takes out of a record what an audience does not read.
type redactor struct {
	public  bool
	exact   map[string]bool   // private values as JSON text: they are known by nothing but themselves
	secrets map[string]string // what is never to be read, and what stands in its place
	words   map[string]string // names such as "up" and "default", which are ordinary words anywhere but in their place
	roles   map[string]string // who speaks, as the public reads it
	spoken  map[string]string // the words of which people's names consist, in lower case
	ours    map[string]bool   // words of which the scenario's own names are made, in lower case
	counts  map[string]int    // how many of a kind there are
	byStart map[byte][]string // the secrets by their first byte in lower case, the longest first
}

func newRedactor(public bool) *redactor {
	return &redactor{public: public, exact: map[string]bool{}, secrets: map[string]string{}, words: map[string]string{}, roles: map[string]string{}, spoken: map[string]string{}, ours: map[string]bool{}, counts: map[string]int{}}
}

// read takes the events apart and collects the secrets in them.
func (r *redactor) read(events []journal.Event) []map[string]any {
	out := make([]map[string]any, len(events))
	for i, e := range events {
		b, err := json.Marshal(e)
		if err != nil {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber() // a seed has more digits than a float64
		if d.Decode(&out[i]) != nil {
			continue
		}
		r.privateFields(e)
		if r.public {
			if name, ok := strings.CutPrefix(e.Actor, "container:"); ok {
				r.pseudonym("container", name)
			}
			if role := e.Role(); role != "" {
				r.role(role)
			}
			r.collect(out[i]["data"], "", "")
		}
	}
	return out
}

// privateFields collects the values of private fields.
func (r *redactor) privateFields(e journal.Event) {
	p, ok := e.Payload.(*journal.ReportDeclared)
	if !ok {
		return
	}
	for _, f := range p.Fields {
		if !f.Private {
			continue
		}
		var value any
		if json.Unmarshal(f.Value, &value) != nil {
			continue
		}
		list, isList := value.([]any)
		if !isList {
			list = []any{value}
		}
		for _, v := range list {
			if text, ok := v.(string); ok && len(strings.TrimSpace(text)) > 1 {
				r.secrets[strings.TrimSpace(text)] = privateOut
			}
		}
		if len(f.Value) > 2 && value != true && value != false {
			r.exact[string(f.Value)] = true
		}
	}
}

// pseudonym is what stands in the place of a name: the same each time.
func (r *redactor) pseudonym(kind, name string) string {
	if strings.TrimSpace(name) == "" {
		return name
	}
	names := r.secrets
	if kind == "metric" || kind == "receiver" || kind == "series" {
		names = r.words
	}
	if p, known := names[name]; known {
		return p
	}
	r.counts[kind]++
	p := kind + " " + strconv.Itoa(r.counts[kind])
	names[name] = p
	return p
}

// namesOf says what a text at a place in an event is a name of: "container", "host" …; empty: of nothing that has to be hidden. key is
// the one that it stands under, parent that of the object around it.
func namesOf(parent, key string) string {
	switch key {
	case "containers", "protected", "container":
		return "container"
	case "image":
		return "image"
	case "image_id", "id", "sha256", "hash":
		return "id"
	case "who":
		return "role"
	case "host":
		return "host"
	case "file":
		return "file"
	case "receivers":
		return "receiver"
	case "metric":
		return "metric"
	case "name":
		switch parent {
		case "container", "chosen", "targets", "neighbours":
			return "container"
		case "engine":
			return "host"
		case "files":
			return "file"
		case "observers":
			return "role"
		}
	case "by": // of alerts it says how they were judged
		return "role"
	}
	return ""
}

// placeLabels are labels whose values are names of places.
var placeLabels = map[string]string{"instance": "host", "host": "host", "hostname": "host", "node": "host", "nodename": "host", "server": "host", "machine": "host", "vm": "host",
	"address": "host", "addr": "host", "ip": "host", "peer": "host", "upstream": "host", "backend": "host", "container": "container", "container_name": "container",
	"name": "container", "pod": "container", "image": "image", "network": "network", "user": "name", "username": "name", "owner": "name", "author": "name", "contact": "name", "email": "name"}

func (r *redactor) collectLabels(labels map[string]string) {
	if !r.public {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if kind := placeLabels[name]; kind != "" && !harmless(labels[name]) {
			r.hostPort(kind, labels[name])
		}
	}
}

// hostPort collects a name, and what stands in it before a port.
func (r *redactor) hostPort(kind, name string) {
	r.pseudonym(kind, name)
	if host, port, ok := strings.Cut(name, ":"); ok && strings.Trim(port, "0123456789") == "" {
		r.pseudonym(kind, host)
	}
}

// collect finds the names in an event.
func (r *redactor) collect(v any, parent, key string) {
	switch v := v.(type) {
	case map[string]any:
		if name, ok := v["name"].(string); ok && key == "args" && name == "network" {
			if network, ok := v["value"].(string); ok {
				r.pseudonym("network", network)
			}
		}
		if key == "fields" && ofPeople(v) {
			r.rolesIn(v["value"])
		}
		if key == "labels" || key == "target" {
			labels := map[string]string{}
			for k, x := range v {
				labels[k], _ = x.(string)
			}
			r.collectLabels(labels)
			return
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			r.collect(v[k], key, k)
		}
	case []any:
		for _, x := range v {
			r.collect(x, parent, key)
		}
	case string:
		if ownKeys[key] || key == "name" && ownParents[parent] {
			r.own(v)
		}
		if kind := namesOf(parent, key); kind == "image" {
			r.image(v)
		} else if kind == "role" {
			if !codes[v] {
				r.role(v)
			}
		} else if kind != "" {
			r.pseudonym(kind, v)
		} else if _, rest, ok := strings.Cut(v, "://"); ok && (key == "url" || key == "endpoint") {
			host, _, _ := strings.Cut(rest, "/")
			_, host, _ = cutLast(host, "@")
			r.hostPort("host", host)
		}
	}
}

// What the scenario names its own parts by.
var (
	ownKeys    = wordSet("scenario fault hypothesis guardrail alert target")
	ownParents = wordSet("hypotheses guardrails faults assumptions")
)

// rolesIn takes the texts of a field's value for roles.
func (r *redactor) rolesIn(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = r.rolesIn(x)
		}
		return out
	case string:
		return r.role(v)
	}
	return v
}

// image collects the name of an image, and of the registry in it.
func (r *redactor) image(name string) {
	p := r.pseudonym("image", name)
	bare, _, _ := strings.Cut(name, "@")
	registry, rest, deep := strings.Cut(bare, "/")
	if !deep {
		return // "redis" is a word that many use
	}
	if at := strings.LastIndex(bare, ":"); at > strings.LastIndex(bare, "/") {
		bare = bare[:at]
	}
	r.secrets[bare] = p
	if strings.ContainsAny(registry, ".:") {
		r.hostPort("host", registry)
		path, _, _ := strings.Cut(rest, ":")
		if strings.Contains(path, "/") {
			r.secrets[path] = p
		}
	}
}

// cutLast is strings.Cut at the last separator; without one everything is after.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// settle is called when all secrets are collected.
func (r *redactor) settle() {
	r.nameParts()
	r.byStart = map[byte][]string{}
	for s := range r.secrets {
		first := lower(s[0])
		r.byStart[first] = append(r.byStart[first], s)
	}
	for _, list := range r.byStart {
		slices.SortFunc(list, func(a, b string) int {
			if len(a) != len(b) {
				return len(b) - len(a)
			}
			return strings.Compare(a, b)
		})
	}
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// scrub replaces the secrets in a text, where they stand as words, in any case of letters.
func (r *redactor) scrub(s string) string {
	var b strings.Builder
	last := rune(0) // before i
next:
	for i := 0; i < len(s); {
		for _, secret := range r.byStart[lower(s[i])] {
			end := i + len(secret)
			if end > len(s) || !strings.EqualFold(s[i:end], secret) {
				continue
			}
			first, _ := utf8.DecodeRuneInString(secret)
			final, _ := utf8.DecodeLastRuneInString(secret)
			after, _ := utf8.DecodeRuneInString(s[end:])
			if wordRune(first) && wordRune(last) || end < len(s) && wordRune(final) && wordRune(after) {
				continue
			}
			b.WriteString(r.secrets[secret])
			i, last = end, final
			continue next
		}
		c, size := utf8.DecodeRuneInString(s[i:])
		b.WriteString(s[i : i+size])
		i, last = i+size, c
	}
	return b.String()
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
