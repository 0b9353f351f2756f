package netfault

import "strings"

// The marks of our qdiscs in a line: a root, and what is below it.
const (
	ourRoot = " handle 6764:"
	ourLeaf = " parent 6764:"
)

// Ours says whether a line of Dump is of something that gameday made.
func Ours(line string) bool {
	return strings.Contains(line, tableName) || strings.Contains(line, ourRoot) || strings.Contains(line, ourLeaf)
}
