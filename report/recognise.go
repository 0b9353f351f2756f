package report

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// What a public reader may not learn is recognised by its shape where the record does not call it by its kind: addresses, names of hosts,
// people's names. A word too many that is replaced does less harm than one too few.
var (
	emailShape   = regexp.MustCompile(`[\p{L}0-9._%+-]+@[\p{L}0-9.-]+[\p{L}0-9]`)
	urlShape     = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>|)\]` + "`" + `]+`)
	ipv4Shape    = regexp.MustCompile(`[0-9]{1,3}(?:\.[0-9]{1,3}){3}`)
	colonsShape  = regexp.MustCompile(`[0-9A-Fa-f]*(?::[0-9A-Fa-f]*){2,}(?:\.[0-9]{1,3}){0,3}`)
	macShape     = regexp.MustCompile(`^[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}$`)
	uuidShape    = regexp.MustCompile(`[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`)
	handleShape  = regexp.MustCompile(`(?:^|[^\p{L}0-9])@([\p{L}0-9_.-]*[\p{L}0-9])`)
	dottedShape  = regexp.MustCompile(`[\p{L}0-9_-]+(?:\.[\p{L}0-9_-]+)*\.[\p{L}]{2,}`)
	wordShape    = regexp.MustCompile(`[\p{L}0-9][\p{L}0-9-]*`)
	joinedShape  = regexp.MustCompile(`[\p{L}0-9]+(?:_[\p{L}0-9]+)*_[0-9]+`)
	hexShape     = regexp.MustCompile(`^(?:[0-9]+[a-f]|[a-f]+[0-9])[0-9a-f]{6,}$`)
	numbered     = regexp.MustCompile(`^(\p{L}{2,})[0-9]{1,4}\p{L}?$`)
	ticketShape  = regexp.MustCompile(`^\p{Lu}+-[1-9][0-9]*$`)
	personShape  = regexp.MustCompile(`\p{L}[\p{L}\p{M}'’-]*`)
	matcherShape = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)\s*(?:"([^"]*)"|'([^']*)')`)
)

func wordSet(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

var (
	// roleWords are the words that the usual roles consist of. A role that consists of nothing else names nobody.
	roleWords = wordSet(`sre sres dba dbas op ops devops dev devs developer developers engineer engineers engineering operator operators operations support on call oncall
		lead leads team teams primary secondary backup incident commander command manager managers management scribe facilitator host observer observers moderator communications comms
		liaison customer customers client user users product owner owners security network networks networking database databases data platform platforms infrastructure infra backend
		frontend front back end web mobile app apps application applications qa tester testers test testing service services desk helpdesk noc soc business analyst architect architects
		admin administrator system systems sysadmin storage cloud reliability site chaos game day deputy chief duty shift watch first second third line level responder responders
		expert subject matter sme board public press legal finance marketing sales vendor supplier partner guest student trainee release deploy deployment monitoring the of and for a an
		someone somebody everyone everybody anyone anybody nobody people staff crew group member members no reply noreply info contact hello mail alerts`)

	// commonWords stand with a capital in the middle of a sentence, or are no word to hide anywhere.
	commonWords = wordSet(`a an the this that these those it its we our us you your they their he she his her i my me and or but nor so yet if then else when while until unless as at by for from in into
		of off on onto out over per since than through to under up upon via with within without after before during between about above against along among around because below beneath
		beside beyond both each either every few hardly many more most much neither no none not nothing now once one only other same several some such there therefore thus two three
		too very what where whether which who whom whose why how all also always any are be been being can cannot could did do does done had has have is may might must shall should
		was were will would yes ok true false nan inf null new old first last next back good bad high low left right up down fast slow
		ask tell call see look check stop start restart run open close wait watch page notify inform promote fail kill let make take put get give go come note say announce confirm
		mr mrs ms dr prof st january february march april may june july august september october november december monday tuesday wednesday thursday friday saturday sunday
		utc english german french docker compose kubernetes helm prometheus alertmanager grafana thanos mimir linux debian ubuntu alpine windows macos unix github gitlab jenkins git jira
		slack teams zoom opsgenie pagerduty redis postgres postgresql mysql mariadb mongodb sqlite kafka rabbitmq nats etcd consul vault nomad terraform ansible nginx haproxy envoy istio
		traefik apache tomcat java javascript typescript python golang go rust node react kotlin ruby php aws azure google amazon microsoft apple oracle cloudflare akamai elasticsearch
		opensearch elastic kibana cassandra memcached minio ceph jaeger zipkin opentelemetry loki tempo gameday internet tls http https tcp udp dns json yaml promql hcl api apis sql
		european europe america asia africa australia black`)

	// counted are words that are followed by a number without being the name of a host.
	counted = wordSet(`http https tls ssl utf sha md base ipv amd arm log oauth step steps phase test tests top tier level part case stage round day week month year version rule item
		priority sev severity prio error code status take try run attempt ec es us eu`)

	// places are words in the names of hosts.
	places = wordSet(`prod production preprod staging uat sandbox dmz`)

	// fieldsOfPeople are words in the names of fields whose values are people.
	fieldsOfPeople = wordSet(`owner owners approver approvers approved approval contact contacts lead author authors responsible requester requested requestor manager facilitator
		commander participant participants attendee attendees reviewer reviewers who by person people name names email mail signed sponsor scribe informed`)

	proseKeys = wordSet(`title description tags label instructions watches text value headings detail action owner reason why changes notes`)

	// closedKeys are those under which stand words of gameday's own, or names that files have.
	closedKeys = wordSet(`run version api cgroups kernel os query_id time_zone sections section on said fault_kind type expect abort_when from to phase step_kind interval`)
)

// role is a role as the public reads it: as it is where it consists of nothing but words for roles, or else a participant with a number.
func (r *redactor) role(role string) string {
	if p, known := r.roles[role]; known || role == "" {
		return p
	}
	p := role
	for _, w := range wordsIn(role) {
		if !roleWords[w] {
			r.counts["participant"]++
			p = "participant " + strconv.Itoa(r.counts["participant"])
			break
		}
	}
	r.roles[role] = p
	if p != role {
		r.calledBy(role, p)
	}
	return p
}

// name collects somebody's name; one that shares a word with another, or with a role, is that one's.
func (r *redactor) name(name string) {
	for _, w := range wordsIn(name) {
		if p, known := r.spoken[w]; known {
			r.secrets[name] = p
			r.calledBy(name, p)
			return
		}
	}
	r.calledBy(name, r.pseudonym("name", name))
}

// calledBy notes the words of somebody's name.
func (r *redactor) calledBy(name, as string) {
	for _, w := range wordsIn(name) {
		if _, known := r.spoken[w]; !known && !roleWords[w] && !commonWords[w] {
			r.spoken[w] = as
		}
	}
}

// wordsIn are the words of a name in lower case, without digits and signs.
func wordsIn(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsMark(c) })
}

// nameParts adds roles that name somebody, and the parts of people's names, to the secrets, but for those parts that are words for roles,
// ordinary words, or words that the names in the scenario are made of.
func (r *redactor) nameParts() {
	for _, role := range slices.Sorted(maps.Keys(r.roles)) {
		p := r.roles[role]
		if _, known := r.secrets[role]; !known && p != role && !commonWords[strings.ToLower(role)] && strings.TrimSpace(role) != "" {
			r.secrets[role] = p
		}
	}
	for _, part := range slices.Sorted(maps.Keys(r.spoken)) {
		if _, known := r.secrets[part]; !known && len([]rune(part)) > 2 && !r.ours[part] {
			r.secrets[part] = r.spoken[part]
		}
	}
}

// own collects the words that a name in the scenario is made of.
func (r *redactor) own(name string) {
	r.ours[strings.ToLower(name)] = true
	from := 0
	for i, c := range name {
		if unicode.IsUpper(c) && i > from { // CheckoutSlow
			r.ours[strings.ToLower(strings.Trim(name[from:i], "_-0123456789"))] = true
			from = i
		}
	}
	r.ours[strings.ToLower(name[from:])] = true
	for _, w := range wordsIn(name) {
		r.ours[w] = true
	}
}

// matchers collects the names of places and people in the matchers of a query.
func (r *redactor) matchers(query string) {
	for _, m := range matcherShape.FindAllStringSubmatch(query, -1) {
		for _, value := range strings.Split(m[2]+m[3], "|") {
			if value = strings.Trim(value, "()^$.*+?\\"); len(value) > 1 {
				r.collectLabels(map[string]string{m[1]: value})
				r.recogniseText(value, false)
			}
		}
	}
}

// recognise finds what looks like an address or a name in the texts of an event.
func (r *redactor) recognise(v any, parent, key string) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if key == "variables" {
				r.recogniseText(k, false)
			}
			if key == "labels" || key == "variables" || key == "target" {
				if text, ok := v[k].(string); ok {
					r.recogniseText(text, false)
				}
				continue
			}
			r.recognise(v[k], key, k)
		}
		if key == "headings" {
			for _, k := range slices.Sorted(maps.Keys(v)) {
				if text, ok := v[k].(string); ok {
					r.recogniseText(text, true)
				}
			}
		}
	case []any:
		for _, x := range v {
			r.recognise(x, parent, key)
		}
	case string:
		switch {
		case key == "query" || key == "expr":
			r.matchers(v)
		case closedKeys[key] || namesOf(parent, key) != "" || harmless(v):
		case parent == "templates" && key == "text":
			r.recogniseText(slotText.ReplaceAllString(v, " . "), true)
		default:
			r.recogniseText(v, proseKeys[key])
		}
	}
}

// recogniseText finds what looks like an address or a name in one text.
func (r *redactor) recogniseText(s string, prose bool) {
	// each finds what is left by those before it: the host in a mail address is found with it
	found := func(shape *regexp.Regexp, take func(m string) bool) {
		s = shape.ReplaceAllStringFunc(s, func(m string) string {
			if take(m) {
				return "x"
			}
			return m
		})
	}
	found(urlShape, func(m string) bool {
		m = strings.TrimRight(m, ".,;:!?")
		r.pseudonym("address", m)
		_, host, _ := strings.Cut(m, "://")
		if i := strings.IndexAny(host, "/?#"); i >= 0 {
			host = host[:i]
		}
		user, host, _ := cutLast(host, "@")
		user, _, _ = strings.Cut(user, ":")
		r.person(user)
		r.place(host)
		return true
	})
	found(emailShape, func(m string) bool {
		r.pseudonym("address", m)
		local, domain, _ := strings.Cut(m, "@")
		r.person(local)
		r.place(domain)
		return true
	})
	ip := func(m string) bool {
		if _, err := netip.ParseAddr(m); err != nil && !macShape.MatchString(m) || len(m) < 4 {
			return false
		}
		r.pseudonym("address", m)
		return true
	}
	found(ipv4Shape, ip)
	found(colonsShape, ip)
	found(uuidShape, func(m string) bool {
		r.pseudonym("id", m)
		return true
	})
	for _, m := range handleShape.FindAllStringSubmatch(s, -1) {
		r.person(m[1])
	}
	found(dottedShape, func(m string) bool {
		if strings.Contains(m, "_") { // var.error_budget
			return false
		}
		r.pseudonym("name", m)
		return true
	})
	found(wordShape, func(m string) bool {
		switch m = strings.Trim(m, "-"); {
		case hexShape.MatchString(m):
			r.pseudonym("id", m)
		case hostWord(m):
			r.pseudonym("name", m)
		default:
			return false
		}
		return true
	})
	if !prose {
		return
	}
	found(joinedShape, func(m string) bool {
		if r.ours[strings.ToLower(m)] {
			return false
		}
		r.pseudonym("name", m)
		return true
	})
	r.people(s)
}

// place collects a host with and without its port.
func (r *redactor) place(host string) {
	bare, port, ok := strings.Cut(host, ":")
	if !ok || strings.Trim(port, "0123456789") != "" {
		bare = host
	}
	if bare = strings.Trim(bare, "[]"); len(bare) > 1 && bare != "localhost" {
		r.pseudonym("host", bare)
	}
}

// person collects the name of somebody, as it stands in an address.
func (r *redactor) person(name string) {
	for _, w := range wordsIn(name) {
		if !roleWords[w] && !commonWords[w] && !r.ours[w] {
			r.name(name)
			return
		}
	}
}

// hostWord says that a word looks like the name of a host: db-3, web07, cache-prod.
func hostWord(w string) bool {
	if c := []rune(w); len(c) < 3 || !unicode.IsLetter(c[0]) || ticketShape.MatchString(w) {
		return false
	}
	if m := numbered.FindStringSubmatch(w); m != nil {
		return !counted[strings.ToLower(m[1])]
	}
	parts := strings.Split(strings.ToLower(w), "-")
	if len(parts) < 2 || len(parts) == 2 && counted[parts[0]] {
		return false
	}
	for _, p := range parts {
		if places[p] || strings.ContainsAny(p, "0123456789") {
			return true
		}
	}
	return false
}

// people collects what looks like people's names in a text: words with a capital inside a sentence, and several in a row anywhere.
func (r *redactor) people(s string) {
	at := personShape.FindAllStringIndex(s, -1)
	capital := func(i int) bool {
		if i < 0 || i >= len(at) {
			return false
		}
		w := []rune(s[at[i][0]:at[i][1]])
		return len(w) > 1 && unicode.IsUpper(w[0]) && (unicode.IsLower(w[1]) || w[1] == '\'' || w[1] == '’' || unicode.IsLower(w[len(w)-1]))
	}
	named := func(i int) bool {
		if !capital(i) {
			return false
		}
		w := strings.ToLower(s[at[i][0]:at[i][1]])
		w = strings.TrimSuffix(strings.TrimSuffix(w, "'s"), "’s")
		return !commonWords[w] && !roleWords[w] && !r.ours[w]
	}
	capitals := 0
	for i := range at {
		if capital(i) {
			capitals++
		}
	}
	if len(at) > 3 && 2*capitals > len(at) {
		return // a title in which each word has one
	}
	for i := 0; i < len(at); i++ {
		if !named(i) {
			continue
		}
		end := i
		for named(end+1) && strings.Trim(s[at[end][1]:at[end+1][0]], " \t\n.") == "" {
			end++
		}
		if end > i || !beginsSentence(s, at, i) {
			name := s[at[i][0]:at[end][1]]
			r.name(strings.TrimSuffix(strings.TrimSuffix(name, "'s"), "’s"))
		}
		i = end
	}
}

// beginsSentence says that a word is the first of a sentence; one after a title or an initial is none.
func beginsSentence(s string, at [][]int, i int) bool {
	if i == 0 {
		return strings.TrimSpace(s[:at[i][0]]) == ""
	}
	between := strings.TrimRight(s[at[i-1][1]:at[i][0]], " \t\n\"'“‘(")
	if !strings.HasSuffix(between, ".") && !strings.HasSuffix(between, "!") && !strings.HasSuffix(between, "?") {
		return false
	}
	switch before := s[at[i-1][0]:at[i-1][1]]; strings.ToLower(before) {
	case "mr", "mrs", "ms", "dr", "prof", "st":
		return false
	default:
		return len([]rune(before)) > 1
	}
}

// ofPeople says that a field tells who somebody is.
func ofPeople(field map[string]any) bool {
	for _, key := range []string{"name", "label"} {
		text, _ := field[key].(string)
		for _, w := range wordsIn(text) {
			if fieldsOfPeople[w] {
				return true
			}
		}
	}
	return false
}
