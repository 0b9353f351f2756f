package netfault

import "strings"

// Ours says whether a line of Dump is of something that gameday made.
func Ours(line string) bool {
	return strings.Contains(line, "gameday") || strings.Contains(line, ourRoot)
}

// ourRoot marks the root qdiscs of ours in a Dump.
const ourRoot = " handle 6764:"
