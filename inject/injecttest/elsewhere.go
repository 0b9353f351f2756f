package injecttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

// An undo in a process of its own: it knows what the journal says, and nothing that the process of the test remembers.
const (
	undoEnv  = "GAMEDAY_TEST_UNDO" // as it is in the journal
	imageEnv = "GAMEDAY_TEST_UNDO_IMAGE"
)

// undoElsewhere is undo by another process, which is the test's program once more: see Main. The first one still drives its sidecars, as
// a runner does when somebody else aborts it.
func (v *env) undoElsewhere(u inject.Undo) (p inject.Proof) {
	v.t.Helper()
	v.spent = true
	text, err := json.Marshal(u)
	if err != nil {
		v.t.Fatal(err)
	}
	image, err := v.tools.Helper(enginetest.Context(v.t))
	if err != nil {
		v.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), undoEnv+"="+string(text), imageEnv+"="+image)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		v.t.Fatalf("another process: %v\n%s", err, said.Bytes())
	}
	if err := json.Unmarshal(out, &p); err != nil || p.Seen == "" || p.At.IsZero() {
		v.t.Fatalf("another process has undone it, and its proof is %q: %v", out, err)
	}
	v.gone(u.ID)
	return p
}

// undoProcess is that process.
func undoProcess(text string) int {
	err := func() error {
		var u inject.Undo
		if err := json.Unmarshal([]byte(text), &u); err != nil {
			return err
		}
		e, err := engine.Connect(engine.Options{})
		if err != nil {
			return err
		}
		defer e.Close()
		helper := func(context.Context) (string, error) { return os.Getenv(imageEnv), nil }
		t := inject.Tools{Engine: e, Helper: helper, Sidecars: inject.NewSidecars(e, helper)}
		ctx, cancel := context.WithTimeout(context.Background(), inject.UndoLimit(u))
		defer cancel()
		p, err := inject.Perform(ctx, t, u)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(p)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
