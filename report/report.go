package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gameday/runner/journal"
)

// A Draft is all that the machine says about a run, before it is set as Markdown, HTML or anything else.
type Draft struct {
	Title    string // from the scenario
	Sections []Section
	Index    *Index
	Clock    Clock

	Questions []Question // to the people of the rehearsal, the most telling first; they stand in sections of their own too

	facts  *facts
	places map[string]place // lines of the scenario, for annotations
}

// Build draws the draft from a record, for the audience that its scenario names. It looks at nothing else, never fails, and says the
// same of the same record.
func Build(rec *journal.Record) *Draft { return BuildFor(rec, "") }

// BuildFor is Build for another audience; "" is that of the scenario.
func BuildFor(rec *journal.Record, a journal.Audience) *Draft {
	if rec == nil {
		rec = &journal.Record{}
	}
	if a == "" {
		a = audienceOf(rec)
	}
	f := gather(forAudience(rec, a))
	f.audience = a
	d := &Draft{Title: f.started.p.Title, Index: f.index, Clock: f.clock, facts: f, places: placesOf(rec)}
	if d.Title == "" {
		d.Title = f.started.p.Scenario
	}
	if d.Title == "" {
		d.Title = rec.Name
	}
	if f.first == "" {
		return d
	}
	f.questions = f.ask()
	d.Questions = f.questions
	for _, p := range f.contents() {
		for _, s := range p.make(f) {
			d.Sections = append(d.Sections, f.arranged(s))
		}
	}
	return d
}

// check walks over everything that will be rendered and refuses what has no evidence.
func (d *Draft) check() error {
	if len(d.Sections) == 0 {
		return errors.New("the record has no event, so there is nothing to report")
	}
	for _, s := range d.Sections {
		if strings.Contains(s.Seed, "<!-- gameday:") {
			return fmt.Errorf("section %s: what people start from has a marker of report.md in it", s.ID)
		}
		for _, item := range s.Items {
			for _, x := range sentences(item) {
				if err := x.check(d.Index); err != nil {
					return fmt.Errorf("section %s: %w", s.ID, err)
				}
			}
			for _, r := range rows(item) {
				if err := r.check(d.Index); err != nil {
					return fmt.Errorf("section %s: %w", s.ID, err)
				}
			}
		}
	}
	return nil
}

// Write renders the record beside its journal: report.md, report.html, report.json and junit.xml. It returns their paths.
//
// What people wrote into report.md stays, as Merge says, and is on the page too; the version before is kept as report.md.bak. Each
// file is replaced whole or not at all. When report.md cannot be read as a draft, it is left alone, the others are written without
// people's words, which the page says, and the error says what is in the way.
func Write(dir string, rec *journal.Record) ([]string, error) { return WriteFor(dir, rec, "") }

// WriteFor is Write for another audience than that of the scenario. The directory need not be that of the run.
func WriteFor(dir string, rec *journal.Record, a journal.Audience) ([]string, error) {
	d := BuildFor(rec, a)
	if err := d.check(); err != nil {
		return nil, err
	}
	var paths []string
	var errs []error
	put := func(name string, content []byte, err error) {
		path := filepath.Join(dir, name)
		if err == nil {
			err = replace(path, content)
		}
		if err != nil {
			errs = append(errs, err)
			return
		}
		paths = append(paths, path)
	}
	path := filepath.Join(dir, "report.md")
	markdown, err := d.writeMarkdown(path)
	var theirs *written
	if err == nil {
		theirs, err = readWritten(string(markdown), d.Sections)
	}
	if err != nil {
		errs = append(errs, err)
		theirs = &written{}
	} else {
		paths = append(paths, path)
	}
	put("report.html", d.page(theirs, err), nil)
	b, err := d.JSON()
	put("report.json", b, err)
	b, err = d.JUnit()
	put("junit.xml", b, err)
	return paths, errors.Join(errs...)
}

// replace writes a file whole or not at all. What is there already with the same content stays untouched.
func replace(path string, content []byte) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == string(content) {
		return nil
	}
	mode := os.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".gameday-*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}
