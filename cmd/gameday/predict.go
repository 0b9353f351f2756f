package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gameday/runner/journal"
	"gameday/scenarios"
)

type predictFlags struct {
	speaker
	sources
	confidence     string
	scenario, runs string
	run            string
	asJSON         bool
}

func (a app) predictCommand() *cobra.Command {
	var f predictFlags
	c := &cobra.Command{
		Use:   `predict NAME held|refuted ["TEXT"]`,
		Short: "Predict what becomes of a hypothesis or an alert, before anything is injected",
		Long: `Predict what becomes of a hypothesis or an alert: held or refuted. It goes into the record of the run in progress, as long as its baseline is
being watched: right before the first injection the predictions are sealed, and the draft sets what was predicted by then beside the outcome,
as spread over the roles. Of several by one role for one thing the last one counts.

With --scenario FILE, or FILE:NAME where a file has several scenarios, the prediction is kept below --runs for the next run of that scenario: until it
injects something. A run that ends before, or is a sham, leaves it to the one after.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) < 2 || len(args) > 3 {
				return see(c, "write the name of a hypothesis or an alert, and held or refuted")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.predict(args, f) },
	}
	f.speaker.flag(c)
	f.sources.flags(c)
	c.Flags().StringVar(&f.confidence, "confidence", "", "how `sure` you are, from 50% (a coin's) to 100%")
	c.Flags().StringVar(&f.scenario, "scenario", "", "predict for the next run of the scenario in this `file`")
	c.Flags().StringVar(&f.run, "run", "", "predict for this `run` (default: the one in progress)")
	c.Flags().StringVar(&f.runs, "runs", "runs", "look for run directories in this `directory`")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return c
}

// A predictionJSON is a prediction as --json prints it.
type predictionJSON struct {
	Run      string `json:"run,omitempty"` // empty: it waits for the next run
	Scenario string `json:"scenario"`
	ID       string `json:"id,omitempty"`
	Role     string `json:"role"`
	*journal.Prediction
}

func (a app) predict(args []string, f predictFlags) error {
	p := &journal.Prediction{}
	switch word := strings.ToLower(args[1]); word {
	case string(journal.Held), string(journal.Refuted):
		p.Expects = journal.Verdict(word)
	default:
		return fmt.Errorf("%q is no outcome to predict. %s", clean(args[1]), scenarios.DidYouMean(word, []string{string(journal.Held), string(journal.Refuted)}))
	}
	role, err := f.given()
	if err != nil {
		return err
	}
	if role == "" {
		return fmt.Errorf("say in which role you predict: --role sre, or set %s; predictions are set side by side by role", roleVariable)
	}
	if f.confidence != "" {
		if p.Confidence, err = confidence(f.confidence); err != nil {
			return err
		}
	}
	if len(args) == 3 {
		if p.Text, err = a.spokenText(args[2]); err != nil {
			return err
		}
	}
	out := predictionJSON{Role: role, Prediction: p}
	if f.scenario != "" {
		err = a.predictLater(args[0], f, &out)
	} else {
		err = a.predictNow(args[0], f, &out)
	}
	if err != nil || out.Scenario == "" {
		return err
	}
	if f.asJSON {
		return a.json(out)
	}
	where := "for the next run of " + out.Scenario
	if out.Run != "" {
		where = "as " + out.ID + " in " + out.Run
	}
	fmt.Fprintf(a.stdout, "%s: %s predicts %s, %s\n", p.Of, role, p.Expects, where)
	return nil
}

// predictNow puts a prediction into the run in progress.
func (a app) predictNow(name string, f predictFlags, out *predictionJSON) error {
	dir, err := runInProgress(f.runs, f.run)
	if err != nil {
		return err
	}
	if dir == "" {
		return fmt.Errorf("no run is going on below %s; to predict for the next one, name its scenario with --scenario FILE", f.runs)
	}
	going, err := journal.Busy(dir)
	if err != nil {
		return err
	}
	if !going {
		return fmt.Errorf("the run in %s is over: what is said now is no prediction; note it with `gameday note`", dir)
	}
	said, err := journal.SayAll(dir, func(rec *journal.Record) ([]journal.Said, error) {
		out.Run, out.Scenario = rec.Started().Run, rec.Started().Scenario
		hypotheses, alerts := claimsOf(rec)
		if err := predicted(name, hypotheses, alerts, out.Prediction); err != nil {
			return nil, err
		}
		return []journal.Said{{Actor: journal.Actor(out.Role), Payload: out.Prediction}}, nil
	})
	if errors.Is(err, journal.ErrSealed) {
		return errors.New("the predictions are sealed: the first injection is begun or over; note what you expect with `gameday note --kind expectation`")
	}
	if err != nil {
		return err
	}
	out.ID = said[0].ID()
	return nil
}

// claimsOf are the names of the hypotheses and the alerts that a run declares.
func claimsOf(rec *journal.Record) (hypotheses, alerts []string) {
	for _, h := range rec.Declared().Hypotheses {
		hypotheses = append(hypotheses, h.Name)
	}
	for _, e := range rec.Events {
		if d, ok := e.Payload.(*journal.AlertsDeclared); ok {
			for _, c := range d.Expected {
				alerts = append(alerts, c.Alert)
			}
		}
	}
	return hypotheses, alerts
}

// predictLater keeps a prediction until the next run of a scenario.
func (a app) predictLater(name string, f predictFlags, out *predictionJSON) error {
	path, chosen := f.scenario, []string(nil)
	if _, err := os.Stat(path); err != nil {
		if i := strings.LastIndexByte(path, ':'); i > 0 {
			path, chosen = path[:i], []string{path[i+1:]}
		}
	}
	ws, err := a.load(path, f.sources, false)
	if err != nil {
		return err
	}
	list, err := choose(ws, chosen)
	if err != nil {
		return err
	}
	if len(list) > 1 {
		return fmt.Errorf("%s has %d scenarios; name one: --scenario %s:%s", path, len(list), path, list[0].Name)
	}
	var hypotheses, alerts []string
	for _, h := range list[0].Hypotheses {
		hypotheses = append(hypotheses, h.Name)
	}
	for _, x := range list[0].Alerts {
		alerts = append(alerts, x.Name)
	}
	if err := predicted(name, hypotheses, alerts, out.Prediction); err != nil {
		return err
	}
	out.Scenario = list[0].Name
	if err := journal.Predict(f.runs, out.Scenario, journal.Actor(out.Role), out.Prediction); err != nil {
		return err
	}
	a.warnUnread(f.runs, out.Scenario)
	return nil
}

// warnUnread names the lines that wait for the next run of a scenario and cannot be read: they stay where they are, and nobody hears of them otherwise.
func (a app) warnUnread(runs, scenario string) {
	path, lines := journal.UnreadPredictions(runs, scenario)
	for _, n := range lines {
		fmt.Fprintf(a.stderr, "gameday: warning: %s:%d is no prediction that can be read; no run takes it up: correct the line, or take it out\n", oneLine(path), n)
	}
}

// predicted finds what a name stands for: a hypothesis or an alert, with "hypothesis." or "alert." before it where there are both.
func predicted(name string, hypotheses, alerts []string, p *journal.Prediction) error {
	is := func(prefix string, names []string) bool {
		bare := strings.TrimPrefix(name, prefix)
		for _, n := range names {
			if n == bare {
				p.Of = n
				return true
			}
		}
		return false
	}
	hypothesis, alert := is("hypothesis.", hypotheses), is("alert.", alerts)
	switch {
	case hypothesis && alert:
		return fmt.Errorf("there are a hypothesis and an alert of the name %s; write hypothesis.%s or alert.%s", name, name, name)
	case !hypothesis && !alert:
		return fmt.Errorf("the scenario has no hypothesis and no alert %q. %s", clean(name), scenarios.DidYouMean(name, append(append([]string{}, hypotheses...), alerts...)))
	}
	p.Alert = alert
	return nil
}

// confidence reads "70%" or "0.7".
func confidence(text string) (*journal.Number, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0.5 && v <= 1) {
		return nil, fmt.Errorf("--confidence: %q is not from 50%% to 100%%; who is less sure than a coin expects the opposite", clean(text))
	}
	n := journal.Number(v)
	return &n, nil
}
