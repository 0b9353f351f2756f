package scenarios

import (
	"fmt"
	"sort"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// longestName bounds names because they end up in the names of directories, series and containers.
const longestName = 64

// nearest returns the name that was probably meant, or "".
func nearest(given string, names []string) string {
	if len(given) > longestName {
		return ""
	}
	n := len([]rune(given))
	allowed := min(1, n-1)
	if n > 3 {
		allowed = max(2, n/4)
	}
	best, bestDistance := "", allowed+1
	for _, name := range names {
		if len(name) > longestName {
			continue
		}
		d := levenshtein.Distance(strings.ToLower(given), strings.ToLower(name), nil)
		if d < bestDistance || d == bestDistance && best != "" && name < best {
			best, bestDistance = name, d
		}
	}
	return best
}

// DidYouMean is a sentence with the nearest of several names, or else with all of them.
func DidYouMean(given string, names []string) string { return didYouMean(given, "", names) }

// didYouMean is a sentence with the nearest name, or else with all of them.
func didYouMean(given, prefix string, names []string) string {
	if n := nearest(given, names); n != "" {
		return fmt.Sprintf("Did you mean %s%s?", prefix, n)
	}
	names = append([]string(nil), names...)
	sort.Strings(names)
	const most = 12
	switch {
	case len(names) == 0:
		return ""
	case len(names) > most:
		return fmt.Sprintf("Known are %s and %d more.", strings.Join(prefixed(prefix, names[:most]), ", "), len(names)-most)
	case len(names) == 1:
		return fmt.Sprintf("There is only %s%s.", prefix, names[0])
	}
	return fmt.Sprintf("Known are %s.", inWords(prefixed(prefix, names), "and"))
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = prefix + n
	}
	return out
}

// inWords joins words: "a", "a and b", "a, b and c".
func inWords(words []string, and string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + and + " " + words[len(words)-1]
}

// nameProblem says what is wrong with the name of a block, or "".
func nameProblem(name string) string {
	switch {
	case name == "":
		return "The name is empty."
	case len(name) > longestName:
		return fmt.Sprintf("The name has %d bytes; %d are the most.", len(name), longestName)
	case !hclsyntax.ValidIdentifier(name):
		return "A name starts with a letter and goes on with letters, digits, underscores and hyphens."
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
