package runner

import "gameday/runner/journal"

// The exit codes are an interface (language.md): documented, tested, never reused.
const (
	ExitHeld         = 0
	ExitError        = 1
	ExitInvalid      = 2
	ExitRefuted      = 3
	ExitInconclusive = 4 // or not injected
	ExitAborted      = 5
	ExitResidue      = 6
	ExitLocked       = 7
	ExitInterrupted  = 130
)

// ExitCode returns the exit code of an outcome.
func ExitCode(o journal.Outcome) int { return o.ExitCode() }

// severity orders exit codes, the worst last.
var severity = []int{ExitHeld, ExitInconclusive, ExitRefuted, ExitAborted, ExitInterrupted, ExitLocked, ExitInvalid, ExitError, ExitResidue}

// WorseExit returns the worse of two exit codes.
func WorseExit(a, b int) int {
	for _, c := range severity {
		if c == a {
			return b
		}
		if c == b {
			return a
		}
	}
	return max(a, b)
}
