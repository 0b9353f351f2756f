package blameless

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// required returns strings of which every match of the pattern contains at least one, in lower case, or nil when
// the pattern does not tell. Looking for a few words first spares most sentences most of the patterns.
func required(pattern string) []string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	return requiredIn(re)
}

func requiredIn(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{strings.ToLower(string(re.Rune))}
	case syntax.OpCapture, syntax.OpPlus:
		return requiredIn(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return requiredIn(re.Sub[0])
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			words := requiredIn(sub)
			if words == nil {
				return nil
			}
			all = append(all, words...)
		}
		slices.Sort(all)
		return slices.Compact(all)
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if words := requiredIn(sub); words != nil && tells(words) > tells(best) {
				best = words
			}
		}
		return best
	}
	return nil
}

// tells rates how rarely one of the words would be met by chance: the shortest counts, and a long list tells little.
func tells(words []string) int {
	if len(words) == 0 {
		return 0
	}
	shortest := len(slices.MinFunc(words, func(a, b string) int { return len(a) - len(b) }))
	return 100*min(shortest, 4) - len(words) + 1000
}

// mayMatch reports whether a sentence in lower case holds one of the words.
func mayMatch(lower string, words []string) bool {
	return words == nil || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(lower, w) })
}
