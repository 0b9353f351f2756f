package chat

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Roles are the roles of people by a name of theirs: a nick, a display name, a full name or the id of a user.
type Roles map[string]string

// ReadRoles reads lines of "name<tab>role". Empty lines and those that begin with # are left out.
func ReadRoles(b []byte) (Roles, error) {
	roles := Roles{}
	n := 0
	for line := range bytes.Lines(b) {
		n++
		text := strings.TrimSpace(strings.TrimPrefix(string(line), "\ufeff"))
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		name, role, found := strings.Cut(text, "\t")
		name, role = fold(name), strings.TrimSpace(role)
		if !found || name == "" || role == "" {
			return nil, fmt.Errorf("line %d is no name and role with a tab between them", n)
		}
		if old, again := roles[name]; again && old != role {
			return nil, fmt.Errorf("line %d gives somebody the role %q who has %q already", n, role, old)
		}
		roles[name] = role
	}
	return roles, nil
}

// fold is a name as it is compared: without what is around it, such as an @, and in lower case. A name of signs alone stays as it is.
func fold(name string) string {
	name = strings.Join(strings.Fields(norm.NFC.String(name)), " ")
	if bare := strings.TrimFunc(name, func(r rune) bool { return !wordRune(r) }); bare != "" {
		name = bare
	}
	return strings.ToLower(name)
}

// A person has names, and is called by a role.
type person struct {
	all  *people
	role string
}

// called is the person's role; somebody without one becomes the next participant.
func (p *person) called() string {
	if p.role == "" {
		p.all.participants++
		p.role = fmt.Sprintf("participant-%d", p.all.participants)
	}
	return p.role
}

// people are all that the chat knows of.
type people struct {
	roles        Roles
	byName       map[string]*person // by folded name
	parts        map[string]*person // a first or last name, as it is written
	participants int
}

func newPeople(o Options) *people {
	all := &people{roles: o.Roles, byName: map[string]*person{}, parts: map[string]*person{}, participants: o.Participants}
	names := make([]string, 0, len(o.Roles))
	for name := range o.Roles {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		all.meet(name)
	}
	return all
}

// meet returns the person of an id, who has these names too. Two people may share a name, and then it stands for the first; nobody shares an id.
func (all *people) meet(id string, names ...string) *person {
	names = append([]string{id}, names...)
	p := all.byName[fold(id)]
	if p == nil {
		p = &person{all: all}
	}
	for _, name := range names {
		f := fold(name)
		if f == "" {
			continue
		}
		if p.role == "" {
			p.role = all.roles[f]
		}
		if all.byName[f] == nil {
			all.byName[f] = p
		}
	}
	for _, name := range names {
		fields := strings.Fields(norm.NFC.String(name))
		if len(fields) < 2 {
			continue
		}
		for _, part := range fields {
			part = strings.TrimFunc(part, func(r rune) bool { return !wordRune(r) })
			// Of "Ann de Witt" the middle is a word of many.
			if utf8.RuneCountInString(part) >= shortestName && (capital(part) || !capital(name)) && all.parts[part] == nil {
				all.parts[part] = p
			}
		}
	}
	return p
}

// capital says whether there is a letter that is not a small one.
func capital(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) && !unicode.IsLower(r) })
}

// everybody are words that are mentioned with an @ and are nobody's name.
var everybody = map[string]bool{"here": true, "channel": true, "everyone": true, "all": true, "group": true}

// mentions meets whoever is mentioned with an @.
func (all *people) mentions(text string) {
	rest := norm.NFC.String(text)
	before := ' '
	for len(rest) > 0 {
		r, n := utf8.DecodeRuneInString(rest)
		rest = rest[n:]
		if r == '@' && !wordRune(before) {
			name := rest[:nickLength(rest)]
			if first, _ := utf8.DecodeRuneInString(name); unicode.IsLetter(first) && !everybody[fold(name)] {
				all.meet(name)
			}
		}
		before = r
	}
}

// nickLength is how long the nick is that a text begins with.
func nickLength(text string) int {
	n := 0
	for i, r := range text {
		if !wordRune(r) && r != '.' && r != '-' {
			break
		}
		if wordRune(r) {
			n = i + utf8.RuneLen(r)
		}
	}
	return n
}

func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) || r == '_'
}

// shortestName is that of names that are looked for in texts: a single letter is a word of many.
const shortestName = 2

// A matcher finds names in texts.
type matcher struct {
	first map[rune][]name // by the first letter in lower case, the longest first
}

type name struct {
	text  string // folded, or of a part as it is written
	exact bool
	who   *person
}

func (all *people) matcher() *matcher {
	m := &matcher{first: map[rune][]name{}}
	add := func(n name) {
		r, _ := utf8.DecodeRuneInString(n.text)
		r = unicode.ToLower(r)
		m.first[r] = append(m.first[r], n)
	}
	for text, who := range all.byName {
		if utf8.RuneCountInString(text) >= shortestName {
			add(name{text, false, who})
		}
	}
	for text, who := range all.parts {
		add(name{text, true, who})
	}
	for _, list := range m.first {
		slices.SortFunc(list, func(a, b name) int {
			if d := len(b.text) - len(a.text); d != 0 {
				return d
			}
			return strings.Compare(a.text, b.text)
		})
	}
	return m
}

// replace puts something else in the place of every name that stands by itself, and of every e-mail address.
func (m *matcher) replace(text string, with func(*person) string) string {
	text = norm.NFC.String(text)
	var out strings.Builder
	before := ' '
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		if !wordRune(before) && wordRune(r) {
			if k := addressLength(text); k > 0 {
				out.WriteString("(an address)")
				text, before = text[k:], ')'
				continue
			}
			if who, k := m.at(text); who != nil {
				out.WriteString(with(who))
				text, before = text[k:], 'x'
				continue
			}
		}
		out.WriteString(text[:n])
		text, before = text[n:], r
	}
	return out.String()
}

// at finds the longest name that a text begins with, and how much of the text it takes.
func (m *matcher) at(text string) (*person, int) {
	r, _ := utf8.DecodeRuneInString(text)
	for _, n := range m.first[unicode.ToLower(r)] {
		k := prefixLength(text, n.text, n.exact)
		if k == 0 {
			continue
		}
		if next, _ := utf8.DecodeRuneInString(text[k:]); k < len(text) && wordRune(next) {
			continue
		}
		return n.who, k
	}
	return nil, 0
}

// prefixLength is how much of a text a name at its beginning takes; 0: it is not there. Blanks within a name match any blanks.
func prefixLength(text, name string, exact bool) int {
	k := 0
	for _, want := range name {
		if k >= len(text) {
			return 0
		}
		got, n := utf8.DecodeRuneInString(text[k:])
		switch {
		case want == ' ' && unicode.IsSpace(got):
			for k < len(text) && unicode.IsSpace(got) {
				k += n
				got, n = utf8.DecodeRuneInString(text[k:])
			}
			continue
		case got == want, !exact && unicode.ToLower(got) == want, want == '\'' && got == '’', want == '’' && got == '\'':
		default:
			return 0
		}
		k += n
	}
	return k
}

// addressLength is how long the e-mail address is that a text begins with; 0: it begins with none.
func addressLength(text string) int {
	const longest = 320 // bytes
	text = text[:min(len(text), longest)]
	end := strings.IndexFunc(text, func(r rune) bool { return !wordRune(r) && !strings.ContainsRune(".+-@%", r) })
	if end < 0 {
		end = len(text)
	}
	word := strings.TrimRight(text[:end], ".-+%@")
	local, domain, found := strings.Cut(word, "@")
	if !found || local == "" || !strings.Contains(domain, ".") {
		return 0
	}
	return len(word)
}
