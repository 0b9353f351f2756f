package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"gameday/runner/journal"
)

// The demo begins again where its shop was not steady, and for no other reason, a few times.
func TestDemoBeginsAgain(t *testing.T) {
	unsteady := result{Outcome: journal.OutcomeNotInjected, unsteady: true}
	impossible := result{Outcome: journal.OutcomeNotInjected}
	held := result{Outcome: journal.OutcomeHeld}
	for _, x := range []struct {
		says    string
		come    []result
		stopped bool
		want    int // rehearsals
	}{
		{"held", []result{held}, false, 1},
		{"cannot be injected", []result{impossible}, false, 1},
		{"unsteady once", []result{unsteady, held}, false, 2},
		{"never steady", []result{unsteady, unsteady, unsteady}, false, 3},
		{"interrupted", []result{unsteady}, true, 1},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		if x.stopped {
			cancel()
		}
		var said bytes.Buffer
		n := 0
		got := app{stderr: &said}.untilSteady(ctx, func() result { n++; return x.come[n-1] })
		cancel()
		if n != x.want || got.Outcome != x.come[n-1].Outcome || strings.Count(said.String(), "Once more") != n-1 {
			t.Errorf("%s: %+v after %d: %s", x.says, got, n, &said)
		}
	}
}
