package followup

import (
	"regexp"
	"strings"
)

var (
	ticketFirst = regexp.MustCompile(`^\s*(?:\[[^\]]*\]|[A-Z][A-Z0-9]*-\d+|#\d+)[:\s]*`)
	firstWord   = regexp.MustCompile(`^[^\pL\pN]*([\pL][\pL'’-]*)`)
	// Words that begin no order: articles, pronouns, prepositions and adjectives that begin a wish ("better alerting").
	noVerbs = words(`a an the this that these those we i you they it he she our your their my its there here all any each every no some most many more
		less fewer better new old another other both several two three on in at of for from with without by to as because since if when while who what
		which where why how should must need needs possible possibly maybe perhaps also and or but not`)
	// Forms that look like nouns, gerunds or participles and are orders all the same.
	verbs = words(`bring ring ping string swing spring mention position transition partition provision caution condition question auction ration commission
		apportion function implement document increment decrement supplement experiment comment segment augment fragment complement feed seed speed
		embed shed exceed proceed succeed spread finance balance reference advance enhance sequence evidence license practice commit permit audit edit limit`)
	nounEndings = regexp.MustCompile(`(?:tion|sion|ment|ness|ity|ance|ence|ship|ism)s?$`)
	otherForms  = regexp.MustCompile(`(?:ing|ed)$`)
)

func words(list string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(list) {
		out[w] = true
	}
	return out
}

// VerbFirst says whether an action may begin with a verb in the imperative. It knows English by its closed classes and endings, so a noun
// that it does not know passes.
func VerbFirst(action string) bool {
	m := firstWord.FindStringSubmatch(ticketFirst.ReplaceAllString(action, ""))
	if m == nil {
		return false
	}
	w := strings.ToLower(strings.ReplaceAll(m[1], "’", "'"))
	if head, _, ok := strings.Cut(w, "-"); ok { // re-run, double-check
		if head != "re" && head != "de" && head != "un" {
			w = head
		} else {
			return true
		}
	}
	switch {
	case verbs[w]:
		return true
	case noVerbs[w], strings.Contains(w, "'"), len(w) > 5 && (nounEndings.MatchString(w) || otherForms.MatchString(w)), w == "adding", w == "fixed", w == "added":
		return false
	}
	return true
}
