package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
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
	r := &redactor{public: a == journal.AudiencePublic, exact: map[string]bool{}, secrets: map[string]string{}, words: map[string]string{}, counts: map[string]int{}}
	trees := map[string][]map[string]any{"events": r.read(rec.Events), "people": r.read(rec.People)}
	for _, q := range queriesOf(rec) {
		for _, s := range q.Samples {
			for _, v := range s.Series {
				r.collectLabels(v.Labels)
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
		return Facts{row(ids, words("Audience"), words("the public: names of containers, hosts, images, networks and files are replaced; queries, what people said and what systems said are left out"))}
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
	counts  map[string]int    // how many of a kind there are
	byStart map[byte][]string // the secrets by their first byte in lower case, the longest first
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
	case "image_id", "id", "sha256":
		return "id"
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
		}
	}
	return ""
}

// placeLabels are labels whose values are names of places.
var placeLabels = map[string]string{"instance": "host", "host": "host", "hostname": "host", "node": "host", "nodename": "host", "container": "container", "container_name": "container",
	"name": "container", "pod": "container", "image": "image", "network": "network"}

func (r *redactor) collectLabels(labels map[string]string) {
	if !r.public {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if kind := placeLabels[name]; kind != "" {
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
		if kind := namesOf(parent, key); kind == "image" {
			r.image(v)
		} else if kind != "" {
			r.pseudonym(kind, v)
		} else if _, rest, ok := strings.Cut(v, "://"); ok && (key == "url" || key == "endpoint") {
			host, _, _ := strings.Cut(rest, "/")
			_, host, _ = cutLast(host, "@")
			r.hostPort("host", host)
		}
	}
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

// write puts the events together again without what the audience does not read. One that does not fit its kind any more is one
// of an unknown kind.
func (r *redactor) write(events []journal.Event, trees []map[string]any, a journal.Audience) []journal.Event {
	out := make([]journal.Event, len(events))
	for i, e := range events {
		e.Actor = r.scrub(e.Actor)
		kind := e.Payload.Kind()
		var payload journal.Payload = &journal.Unknown{Name: kind, Data: json.RawMessage("{}")}
		if _, unknown := e.Payload.(*journal.Unknown); trees[i] != nil && !(unknown && r.public) {
			trees[i]["data"] = r.data(trees[i]["data"], "", "")
			trees[i]["actor"] = e.Actor
			var again journal.Event
			if b, err := json.Marshal(trees[i]); err == nil && json.Unmarshal(b, &again) == nil {
				payload = again.Payload
			}
		}
		if p, ok := payload.(*journal.ReportDeclared); ok {
			p.Audience = a
			p.Fields = slices.DeleteFunc(p.Fields, func(f journal.Field) bool { return f.Private })
		}
		e.Payload = payload
		out[i] = e
	}
	return out
}

// authored are the keys under which stands what the authors of the scenario named or described, or what gameday counts by.
var authored = func() map[string]bool {
	out := map[string]bool{}
	for _, k := range strings.Fields(`run scenario title description tags fault hypothesis guardrail alert name target of named missing unexpected protect who step
		instructions watches version api cgroups fault_kind label type time_zone sections section headings said on query_id hash by noise`) {
		out[k] = true
	}
	return out
}()

// codes are words that gameday itself writes down.
var codes = func() map[string]bool {
	out := map[string]bool{}
	for _, k := range strings.Split(`baseline|fault|recovery|held|refuted|inconclusive|not tested|violated|within missed|not recovered|uncertain|no data|no data counted|gate|sham|not injected|
fault ended|hit nothing|stopped|error|aborted|residue|interrupted|due|restarted|put back|guardrail|recover|guard|waiting|holding|died|started|paused|unpaused|removed|oom|healthy|unhealthy|
starting|all|any|holds|violates|abort|ignore|server|embedded|replay|inactive|pending|firing|unknown|fired|quiet|missing|late|unwanted|by phase|already|unseen|too rare|too short|not replayed|
range|rule|gap|down|never up|moved and returned|moved and stayed|moved|appeared|vanished|level|rate|hypothesis|suppressed|no|always|unless-stopped|on-failure|none|one|
action|observation|expectation|assumption|decision|question|surprise|Ctrl-C|SIGTERM|SIGHUP|gameday abort|<|<=|>|>=|==|!=|NaN|+Inf|-Inf|true|false|team|organisation|public`, "|") {
		out[strings.TrimSpace(k)] = true
	}
	return out
}()

var (
	quantityText = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]+)?( ?(%|[numµ]?s|m|h|B|[kKMGT]i?B(/s)?|[kmg]?bit))?$`)
	evidenceText = regexp.MustCompile(`^[EGNQ][0-9]+$`)
)

// harmless says that a text tells nothing about anybody's system.
func harmless(s string) bool {
	if s == "" || codes[s] || quantityText.MatchString(s) || evidenceText.MatchString(s) {
		return true
	}
	if _, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return true
	}
	_, err := time.ParseDuration(s)
	return err == nil
}

// data is a part of an event as the audience may read it.
func (r *redactor) data(v any, parent, key string) any {
	switch v := v.(type) {
	case map[string]any:
		return r.object(v, parent, key)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = r.data(x, parent, key)
		}
		return out
	case json.Number:
		if r.public && key == "pid" {
			return 0
		}
	case string:
		return r.text(v, parent, key)
	}
	return v
}

func (r *redactor) object(v map[string]any, parent, key string) any {
	out := map[string]any{}
	if !r.public {
		for k, x := range v {
			out[k] = r.data(x, key, k)
		}
		return out
	}
	switch key {
	case "labels", "target":
		labels := map[string]string{}
		for k, x := range v {
			labels[k] = fmt.Sprint(x)
		}
		return r.series(labels)
	case "variables":
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out[r.scrub(k)] = leftOut
		}
		return out
	case "headings":
		for k, x := range v {
			text, _ := x.(string)
			out[k] = r.scrub(text)
		}
		return out
	case "undo": // how to undo something
		return out
	}
	for _, k := range slices.Sorted(maps.Keys(v)) {
		out[k] = r.data(v[k], key, k)
	}
	return out
}

// text is one text of an event as the audience may read it.
func (r *redactor) text(s, parent, key string) string {
	switch {
	case !r.public && parent == "variables" && r.exact[s]:
		return privateOut
	case !r.public:
		return r.scrub(s)
	}
	kind := namesOf(parent, key)
	switch {
	case key == "sha256" || key == "file" && parent != "files" && parent != "rules" && parent != "unread" && parent != "": // a place in a file that has another name here
		return ""
	case kind != "":
		return r.pseudonym(kind, s)
	case authored[key]:
		return r.scrub(s)
	case harmless(s):
		return s
	}
	switch key {
	case "url", "endpoint", "from", "group", "service":
		return ""
	case "expect", "abort_when":
		if strings.ContainsAny(s, "\"'`") {
			return leftOut
		}
		return r.scrub(s)
	case "value":
		if parent == "fields" {
			return r.scrub(s)
		}
		if p, known := r.secrets[s]; known {
			return p
		}
	case "text":
		if parent == "templates" {
			return r.template(s)
		}
	}
	return leftOut
}

var slotText = regexp.MustCompile(`\{\{[^}]*\}\}`)

// template scrubs a section template between its slots.
func (r *redactor) template(s string) string {
	var b strings.Builder
	from := 0
	for _, at := range slotText.FindAllStringIndex(s, -1) {
		b.WriteString(r.scrub(s[from:at[0]]) + s[at[0]:at[1]])
		from = at[1]
	}
	b.WriteString(r.scrub(s[from:]))
	return b.String()
}

// series is a set of labels as the public reads it: told from others, and no more.
func (r *redactor) series(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return map[string]string{}
	}
	return map[string]string{"series": strings.TrimPrefix(r.pseudonym("series", "\x00"+formatLabels(labels)), "series ")}
}

// query is what a query returned as the audience may read it.
func (r *redactor) query(q journal.Query) *journal.Query {
	out := q
	out.Name, out.Text = r.scrub(q.Name), r.scrub(q.Text)
	if r.public {
		out.Text = leftOut
	}
	out.Samples = slices.Clone(q.Samples)
	for i := range out.Samples {
		s := &out.Samples[i]
		if s.Error = r.scrub(s.Error); s.Error != "" && r.public {
			s.Error = leftOut
		}
		s.Series = slices.Clone(s.Series)
		for j := range s.Series {
			v := &s.Series[j]
			if r.public {
				v.Labels = r.series(v.Labels)
				continue
			}
			labels := map[string]string{}
			for k, x := range v.Labels {
				labels[k] = r.scrub(x)
			}
			v.Labels = labels
		}
	}
	return &out
}
