package journal

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// childRoot makes the test binary a runner that writes a journal below this directory and waits to be killed.
const childRoot = "GAMEDAY_TEST_JOURNAL_ROOT"

func TestMain(m *testing.M) {
	if root := os.Getenv(childRoot); root != "" {
		w, err := Create(root, "child", time.Now())
		if err == nil {
			_, err = w.Commit(&RunStarted{Run: "child"})
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("writing")
		time.Sleep(time.Hour)
	}
	goleak.VerifyTestMain(m)
}

func create(t testing.TB) *Writer {
	t.Helper()
	w, err := Create(t.TempDir(), "run", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func commit(t testing.TB, w *Writer, payloads ...Payload) {
	t.Helper()
	for _, p := range payloads {
		if _, err := w.Commit(p); err != nil {
			t.Fatal(err)
		}
	}
}
