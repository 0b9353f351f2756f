package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"time"

	"gameday/runner/journal"
)

type junitSuites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Time     string   `xml:"time,attr"`
	Suite    junitSuite
}

type junitSuite struct {
	XMLName    xml.Name        `xml:"testsuite"`
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Hostname   string          `xml:"hostname,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name      string       `xml:"name,attr"`
	Classname string       `xml:"classname,attr"`
	Failure   *junitResult `xml:"failure"`
	Error     *junitResult `xml:"error"`
	Skipped   *junitResult `xml:"skipped"`
}

type junitResult struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// JUnit is the run as one test suite: a case for each hypothesis and each claim about an alert, in which refuted is a failure, inconclusive an error and not
// tested skipped, each with its reason; and a case "undo" that fails when something was left behind. The time is that of the
// suite: hypotheses are watched side by side, and readers add the times of cases up.
func (d *Draft) JUnit() ([]byte, error) {
	f := d.facts
	if err := d.check(); err != nil {
		return nil, err
	}
	s := junitSuite{
		Name: visible(d.facts.suiteName()), Time: seconds(f.length()), Timestamp: f.from.UTC().Format("2006-01-02T15:04:05"), Hostname: visible(f.started.p.Host),
	}
	property := func(name, value string) {
		s.Properties = append(s.Properties, junitProperty{visible(name), visible(value)})
	}
	property("run", f.runID())
	property("scenario", f.started.p.Scenario)
	if isDigest(f.started.p.Hash) {
		property("scenario.hash", f.started.p.Hash)
	}
	property("gameday.version", f.started.p.Version)
	property("outcome", outcomeOrUnfinished(f))
	if f.ended != nil {
		property("exit_code", strconv.Itoa(f.ended.p.ExitCode))
	}
	property("seed", strconv.FormatUint(f.started.p.Seed, 10))
	for _, x := range f.custom.p.Fields {
		property("field."+x.Name, words("{}", fieldValue(x)).plainText(d.Clock))
	}
	for _, h := range f.hypotheses {
		if h.judged != nil && h.judged.p.Margin != nil {
			property("margin."+h.Name, strconv.FormatFloat(float64(h.judged.p.Margin.Distance), 'g', -1, 64))
		}
	}
	for _, h := range f.hypotheses {
		c := junitCase{Name: visible(h.Name), Classname: "gameday." + visible(f.started.p.Scenario)}
		text := f.reasonSentence(h).phrase().plainText(d.Clock)
		more := ""
		for _, x := range sentences(f.stretches(h)) {
			more += x.phrase().plainText(d.Clock) + "\n"
		}
		switch h.verdict {
		case journal.Refuted:
			c.Failure = &junitResult{text, "refuted", more}
			s.Failures++
		case journal.Inconclusive:
			c.Error = &junitResult{text, "inconclusive", more}
			s.Errors++
		case journal.NotTested:
			c.Skipped = &junitResult{Message: text}
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	for _, x := range f.claimed() {
		c := junitCase{Name: "alert " + visible(x.name), Classname: "gameday." + visible(f.started.p.Scenario)}
		text := f.alertReason(x).phrase().plainText(d.Clock)
		switch x.verdict {
		case journal.Refuted:
			c.Failure = &junitResult{text, "refuted", ""}
			s.Failures++
		case journal.Inconclusive:
			c.Error = &junitResult{text, "inconclusive", ""}
			s.Errors++
		case journal.NotTested:
			c.Skipped = &junitResult{Message: text}
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	if a := f.residueAlarm(); len(a.Sentences) > 0 {
		text := ""
		for _, x := range a.Sentences {
			text += x.phrase().plainText(d.Clock) + "\n"
		}
		s.Cases = append(s.Cases, junitCase{Name: "undo", Classname: "gameday." + visible(f.started.p.Scenario), Failure: &junitResult{a.Title, "residue", text}})
		s.Failures++
	}
	s.Tests = len(s.Cases)
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Skipped: s.Skipped, Time: s.Time, Suite: s}); err != nil {
		return nil, fmt.Errorf("cannot write JUnit: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func (f *facts) suiteName() string {
	if f.started.p.Scenario != "" {
		return "gameday." + f.started.p.Scenario
	}
	return "gameday." + f.runID()
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// outcomeOrUnfinished is the outcome for machines to read.
func outcomeOrUnfinished(f *facts) string {
	if o := f.outcome(); o != "" {
		return string(o)
	}
	return "unfinished"
}
