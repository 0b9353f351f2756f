package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	made := func(name string) string {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, FileName), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	if _, err := Find(root, "latest"); err == nil || !strings.Contains(err.Error(), "there are no runs") {
		t.Errorf("error is %v", err)
	}
	if _, err := Find(filepath.Join(root, "none"), "latest"); err == nil || !strings.Contains(err.Error(), "there are no runs") {
		t.Errorf("error is %v", err)
	}
	start := time.Date(2026, 11, 22, 10, 4, 31, 0, time.FixedZone("", 3600))
	first := made(NewID("slow_payments", start))
	last := made(NewID("store_freezes", start.Add(time.Hour)))
	made("notes")
	if err := os.Mkdir(filepath.Join(root, NewID("empty", start)), 0o755); err != nil {
		t.Fatal(err)
	}
	if dirs, err := Runs(root); err != nil || len(dirs) != 2 || dirs[0] != first || dirs[1] != last {
		t.Errorf("runs are %v, %v", dirs, err)
	}
	for name, want := range map[string]string{
		"latest": last, "": last, root: last, first: first, filepath.Base(first): first, "slow": first, "09-04-31Z": first,
	} {
		if got, err := Find(root, name); err != nil || got != want {
			t.Errorf("%q is %s, %v", name, got, err)
		}
	}
	for name, says := range map[string]string{"2026": "fits 2 runs", "nothing": "no run below", t.TempDir(): "is not a run directory"} {
		if _, err := Find(root, name); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
