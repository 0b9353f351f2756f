package metrics

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/prometheus/tsdb/fileutil"
)

// The name that Prometheus would otherwise look up without a limit has no public option: an update must not lose it unseen.
func TestScrapingNeedsNoLookupOfThisMachine(t *testing.T) {
	if name := reflect.ValueOf(scrapeOptions()).Elem().FieldByName("fqdn"); !name.IsValid() || name.String() == "" {
		t.Error("Prometheus would look up the name of this machine, without a limit")
	}
}

func TestAbandonedDirectoriesAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	make := func(name string, locked bool, age time.Duration) string {
		dir := filepath.Join(os.TempDir(), temporaryPrefix+name)
		if err := os.MkdirAll(filepath.Join(dir, "wal"), 0o755); err != nil {
			t.Fatal(err)
		}
		if locked {
			if err := os.WriteFile(filepath.Join(dir, lockName), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(dir, at, at); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	abandoned := make("abandoned", true, time.Hour)
	used := make("used", true, time.Hour)
	young := make("young", true, 0)
	foreign := make("foreign", false, time.Hour)
	held, _, err := fileutil.Flock(filepath.Join(used, lockName))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	link := filepath.Join(os.TempDir(), temporaryPrefix+"link")
	if err := os.Symlink(foreign, link); err != nil {
		t.Fatal(err)
	}

	if _, err := temporaryDir(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(abandoned); !os.IsNotExist(err) {
		t.Errorf("the directory of a process that is gone is still there: %v", err)
	}
	for _, dir := range []string{used, young, foreign, link} {
		if _, err := os.Stat(filepath.Join(dir, "wal")); err != nil {
			t.Errorf("%s was removed: %v", dir, err)
		}
	}
}

// A storage that runs in a temporary directory holds the lock that tells it from an abandoned one.
func TestTemporaryStorageIsLocked(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	e, err := NewEmbedded(EmbeddedConfig{Name: "own"})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(time.Hour)
	removeAbandoned(e.dir, at)
	if _, err := os.Stat(e.dir); err != nil {
		t.Errorf("a directory in use was removed: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(e.dir); !os.IsNotExist(err) {
		t.Errorf("Close left %s: %v", e.dir, err)
	}
}
