package journal

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
)

// The names in a run directory.
const (
	FileName    = "journal.jsonl"
	GuardFile   = "guard.jsonl"  // what the guard did; Read puts it among the journal's events
	PeopleFile  = "people.jsonl" // what people said: notes and predictions
	ScenarioDir = "scenario"     // the files as they were, secrets redacted
	SamplesDir  = "samples"      // what the queries returned
	TSDBDir     = "tsdb"         // within SamplesDir: every series that the embedded engine scraped
	reserveName = ".reserve"
)

// NewID makes the id of a run: its start in UTC, the scenario's name and four random hexadecimal digits, so that ids sort by
// time and two runs in one second differ.
func NewID(scenario string, start time.Time) string {
	return fmt.Sprintf("%s-%s-%04x", start.UTC().Format(idTime), scenario, rand.IntN(1<<16))
}

// idTime is the layout of the start of a run in its id.
const idTime = "2006-01-02T15-04-05Z"

var idPattern = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)-(.+)-[0-9a-f]{4}$`)

// ParseID takes the id of a run apart: its start, to the second, and the scenario's name.
func ParseID(id string) (start time.Time, scenario string, ok bool) {
	m := idPattern.FindStringSubmatch(id)
	if m == nil {
		return time.Time{}, "", false
	}
	start, err := time.Parse(idTime, m[1])
	return start, m[2], err == nil
}

// IsRun says whether a directory holds a run.
func IsRun(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, FileName))
	return err == nil && info.Mode().IsRegular()
}

// Runs lists the run directories below root, oldest first. A root that does not exist has none.
func Runs(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		if e.IsDir() && idPattern.MatchString(e.Name()) && IsRun(dir) {
			dirs = append(dirs, dir)
		}
	}
	sort.Strings(dirs)
	return dirs, nil
}

// Find returns the run directory that a person means: a path, an id below root or an unambiguous part of one, or "latest".
func Find(root, name string) (string, error) {
	if IsRun(name) {
		return name, nil
	}
	if fi, err := os.Stat(name); err == nil && fi.IsDir() && filepath.Clean(name) != filepath.Clean(root) {
		return "", fmt.Errorf("%s is not a run directory: it has no %s; run directories are below %s", name, FileName, root)
	}
	dirs, err := Runs(root)
	if err != nil {
		return "", err
	}
	if len(dirs) == 0 {
		return "", fmt.Errorf("there are no runs below %s; name another directory with --runs, or make one with `gameday run`", root)
	}
	if name == "latest" || name == "" || filepath.Clean(name) == filepath.Clean(root) {
		return dirs[len(dirs)-1], nil
	}
	var found []string
	for _, d := range dirs {
		if strings.Contains(filepath.Base(d), name) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("no run below %s is called %q; the latest is %s", root, name, filepath.Base(dirs[len(dirs)-1]))
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%q fits %d runs below %s, among them %s and %s; name more of it", name, len(found), root,
		filepath.Base(found[0]), filepath.Base(found[1]))
}

// Current returns the newest run directory below root whose run is going on, or "".
func Current(root string) (string, error) {
	dirs, err := Runs(root)
	if err != nil {
		return "", err
	}
	for _, dir := range slices.Backward(dirs) {
		if is, err := Busy(dir); err == nil && is {
			return dir, nil
		}
	}
	return "", nil
}

// RecoverCommand is what a person types to undo what a run directory holds open.
func RecoverCommand(dir string) string { return "gameday recover " + ShellWord(dir) }

// ShellWord quotes text so that a shell that it is pasted into reads it as one word and runs nothing in it.
func ShellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/=-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
