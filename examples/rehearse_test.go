package examples_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gameday/examples/etcd"
	"gameday/examples/shop"
	"gameday/examples/workload/workloadtest"
	"gameday/inject/injecttest"
	"gameday/report"
	"gameday/runner"
	"gameday/runner/journal"
	"gameday/scenarios"
)

func TestMain(m *testing.M) { os.Exit(injecttest.Main(m)) }

// faults are the scenarios in faults/, by their files, with how they end. README.md says the same.
var faults = []struct {
	file string
	ends journal.Outcome
}{
	{"stop", journal.OutcomeHeld},
	{"crash", journal.OutcomeHeld},
	{"restart", journal.OutcomeHeld},
	{"oom", journal.OutcomeHeld},
	{"signal", journal.OutcomeHeld},
	{"exec", journal.OutcomeHeld},
	{"latency", journal.OutcomeHeld},
	{"loss", journal.OutcomeHeld},
	{"rate", journal.OutcomeHeld},
	{"reorder", journal.OutcomeHeld},
	{"reject", journal.OutcomeHeld},
	{"partition", journal.OutcomeRefuted},
	{"disconnect", journal.OutcomeHeld},
	{"stress", journal.OutcomeHeld},
	{"memory", journal.OutcomeInconclusive},
	{"fill", journal.OutcomeHeld},
}

// TestFaultsOnTheShop rehearses the scenario of each kind of fault, and expects what README.md says. Two shops share them, since each
// takes its time; it is spent waiting, so they do not count as two parallel tests. The demo's own two scenarios are rehearsed with
// the command line, where the shop's log is asked as well.
func TestFaultsOnTheShop(t *testing.T) {
	t.Parallel()
	const shops = 2
	var all sync.WaitGroup
	var total tallied
	for n := range shops {
		all.Go(func() {
			t.Run(fmt.Sprint("shop", n+1), func(t *testing.T) { onTheShop(t, n, shops, &total) })
		})
	}
	all.Wait()
	t.Log(total.String())
	if total.rehearsed == len(faults) && (total.runs < 10 || total.own < 10 || total.fired < 5) {
		t.Error("that is too little to say that they agree")
	}
}

// onTheShop rehearses every so-many-th of the faults on a shop of its own.
func onTheShop(t *testing.T, first, step int, total *tallied) {
	stage := workloadtest.New(t)
	s, err := shop.Up(t.Context(), stage.Engine, shop.Options{
		Run: stage.Run, Prefix: stage.Prefix, Image: stage.Image, Command: []string{"/gameday", "role", "shop"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Down(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if first == 0 {
		t.Run("outside", func(t *testing.T) {
			rehearse(t, stage, nil, "outside", vars("project="+stage.Prefix), "store_crashes", journal.OutcomeHeld)
		})
	}
	at := func(name string) string { return fmt.Sprintf("%s-%s:%d", stage.Prefix, name, shop.Port) }
	server := startBeside(t, stage, map[string][]string{"frontend": {at("frontend")}, "api": {at("api-1"), at("api-2")}, "store": {at("store")}})
	for i := first; i < len(faults); i += step {
		f := faults[i]
		t.Run(f.file, func(t *testing.T) {
			healthy(t, stage)
			rehearse(t, stage, server, "faults", vars("project="+stage.Prefix), f.file, f.ends)
		})
	}
	server.finish(t, total)
}

// TestEtcd rehearses on a system that is not ours, judged by its own metrics.
func TestEtcd(t *testing.T) {
	t.Parallel()
	stage := workloadtest.New(t)
	s, err := etcd.Up(t.Context(), stage.Engine, etcd.Options{
		Run: stage.Run, Prefix: stage.Prefix, Image: stage.Image, Command: []string{"/gameday", "role", "etcd-writer"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Down(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	at := func(name string, port int) string { return fmt.Sprintf("%s-%s:%d", stage.Prefix, name, port) }
	server := startBeside(t, stage, map[string][]string{
		"etcd":   {at("member-1", etcd.ClientPort), at("member-2", etcd.ClientPort), at("member-3", etcd.ClientPort)},
		"writer": {at("writer", etcd.WriterPort)},
	})
	for _, dir := range []string{"leader_freezes", "leader_crashes", "leader_partitioned"} {
		t.Run(dir, func(t *testing.T) {
			var leader string
			rehearse(t, stage, server, "etcd/"+dir, func() scenarios.Options {
				var err error
				if leader, err = s.Leader(t.Context()); err != nil {
					t.Fatal(err)
				}
				return scenarios.Options{Vars: []string{"project=" + stage.Prefix, "leader=" + leader}}
			}, dir, journal.OutcomeHeld)
			now, err := s.Leader(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if now == leader && dir != "leader_crashes" {
				t.Errorf("%s led before and leads now: etcd saw nothing of the fault", leader)
			}
		})
	}
	var total tallied
	server.finish(t, &total)
	t.Log(total.String())
	if total.rehearsed == 3 && total.fired == 0 {
		t.Error("that is too little to say that they agree")
	}
	t.Run("slow_disk", func(t *testing.T) {
		leader, err := s.Leader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o := scenarios.Options{Vars: []string{"project=" + stage.Prefix, "leader=" + leader}}
		_, plan, _, err := planned(t, stage, "etcd/slow_disk", o, "slow_disk")
		problems, _ := runner.IsRefusal(err)
		switch {
		case len(problems) == 1 && strings.Contains(problems[0].Message, "no disk holds files of the container"):
			t.Logf("it cannot be done here: %s", problems[0].Message)
		case err != nil:
			t.Fatal(err)
		case len(plan.Faults) != 1 || len(plan.Faults[0].Steps) != 1 || plan.Faults[0].Steps[0].Container.Name != leader:
			t.Errorf("the plan is for %+v", plan.Faults)
		}
	})
}

// consequences are what a fault is known to move before it is rehearsed, by the scenario's file: a metric and the job that it is of.
var consequences = map[string][]string{
	"crash":          {"container_start_time_seconds of containers"},
	"oom":            {"container_start_time_seconds of containers"},
	"stop":           {"up of store"},                                                    // it answers nobody any more
	"latency":        {"http_request_duration_seconds_sum of api"},                       // which waits for the store
	"leader_freezes": {"up of leader", "etcd_network_peer_received_bytes_total of etcd"}, // the others hear nothing of it
}

// events are the single events that a fault is known to be counted as.
var events = map[string][]string{
	"store_crashes":  {"container_restarts_total of containers"},
	"crash":          {"container_restarts_total of containers"},
	"oom":            {"container_restarts_total of containers", "container_oom_events_total of containers"},
	"leader_freezes": {"etcd_server_leader_changes_seen_total of etcd"},
}

// missed says what is known to move and is not among the ten that the comparison of all series ranks highest, or known to be counted once
// and not among the twenty.
func missed(rec *journal.Record, file string) (out []string) {
	for _, e := range rec.Events {
		m, ok := e.Payload.(*journal.Moved)
		if !ok {
			continue
		}
		var top []string
		for _, f := range m.Findings {
			top = append(top, f.Metric+" of "+f.Target["job"])
		}
		for n, known := range map[int][]string{10: consequences[file], 20: events[file]} {
			for _, want := range known {
				if !slices.Contains(top[:min(n, len(top))], want) {
					out = append(out, fmt.Sprintf("among the %d that moved most is not %s: %q (%s)", n, want, top, m.Why))
				}
			}
		}
		return out
	}
	return []string{"what else moved is not in the record"}
}

// starved says whether gameday itself did not come to scrape in time in a run, for want of a busy machine's time.
func starved(rec *journal.Record) bool {
	return slices.ContainsFunc(rec.Events, func(e journal.Event) bool {
		b, ok := e.Payload.(*journal.BlindSpots)
		return ok && slices.ContainsFunc(b.Spots, func(s journal.BlindSpot) bool { return s.What == journal.BlindGap })
	})
}

// planned plans the scenario of a file in a directory for the run whose id it returns.
func planned(t *testing.T, stage *workloadtest.Stage, dir string, o scenarios.Options, file string) (setup runner.Setup, plan *runner.Plan, id string, err error) {
	t.Helper()
	o.CheckQuery, o.CheckRules = runner.CheckQuery, runner.CheckRules
	ws, ds := scenarios.Load(dir, o)
	if ds.HasErrors() {
		t.Fatal(ds[0].Error())
	}
	var sc *scenarios.Scenario
	for _, x := range ws.Scenarios {
		if filepath.Base(x.Range.File) == file+".gameday.hcl" {
			sc = x
		}
	}
	if sc == nil {
		t.Fatalf("no scenario in %s of %s", file, dir)
	}
	setup = runner.Setup{Engine: stage.Engine, Version: "test", Runs: t.TempDir(), Lock: "gameday-lock-" + stage.Prefix, Tools: injecttest.Tools(t)}
	if err := setup.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	id = journal.NewID(sc.Name, time.Now())
	plan, err = runner.MakePlan(t.Context(), setup, ws, sc, id, 1)
	return setup, plan, id, err
}

// vars are options with these values of variables.
func vars(values ...string) func() scenarios.Options {
	return func() scenarios.Options { return scenarios.Options{Vars: values} }
}

// rehearse runs the scenario of a file in a directory, and checks its outcome, its drafts, and that no container is other than
// running afterwards. Where the baseline does not hold, the system was short of a busy machine's time, since nothing has been done to
// it: it is rehearsed again. So it is where another outcome than the expected one comes of a run whose own record says that it missed
// scrapes.
func rehearse(t *testing.T, stage *workloadtest.Stage, server *beside, dir string, o func() scenarios.Options, file string, want journal.Outcome) {
	t.Helper()
	res, rec := run(t, stage, dir, o(), file)
	for again := 0; again < 2 && (unsteady(rec) || starved(rec) && (res.Outcome != want || len(missed(rec, file)) > 0)); again++ {
		t.Logf("again: %s %s", res.Outcome, rec.Ended().Detail)
		res, rec = run(t, stage, dir, o(), file)
	}
	if res.Outcome != want {
		t.Errorf("%s ended as %s, want %s; %+v", file, res.Outcome, want, rec.Ended())
	}
	for _, m := range missed(rec, file) {
		t.Error(m)
	}
	if server != nil {
		server.saw(t, file, res.Dir, rec)
	}
	if _, err := report.Write(res.Dir, rec); err != nil {
		t.Error(err)
	}
	all, err := stage.Engine.Containers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.ComposeProject() == stage.Prefix && c.State.Status != "running" {
			t.Errorf("%s is %s after the run", c.Name, c.State.Status)
		}
	}
}

// unsteady says whether a run has ended with its baseline, because that did not hold.
func unsteady(rec *journal.Record) bool {
	return slices.ContainsFunc(rec.Events, func(e journal.Event) bool {
		b, ok := e.Payload.(*journal.BaselineJudged)
		return ok && !b.Passed
	})
}

// run runs the scenario of a file in a directory once.
func run(t *testing.T, stage *workloadtest.Stage, dir string, o scenarios.Options, file string) (runner.Result, *journal.Record) {
	t.Helper()
	setup, plan, id, err := planned(t, stage, dir, o, file)
	if err != nil {
		t.Fatal(err)
	}
	res, err := runner.NewRun(setup, plan, id, func(e journal.Event) {
		t.Logf("%v %s", time.Duration(e.Offset).Round(time.Millisecond), e.Payload.Kind())
	}).Execute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rec, err := journal.Read(res.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range rec.Events {
		if b, ok := e.Payload.(*journal.BaselineJudged); ok {
			for _, f := range b.Failures {
				t.Logf("baseline: %s: %s, %d samples, %+v %s", f.Name, f.Reason, f.Samples, f.Worst, f.Detail)
			}
		}
		if v, ok := e.Payload.(*journal.HypothesisJudged); ok {
			t.Logf("%s: %s (%s) %s", v.Hypothesis, v.Verdict, v.Reason, v.Detail)
		}
		if v, ok := e.Payload.(*journal.AlertJudged); ok {
			t.Logf("alert %s: %s (%s) in %d of %d phases; %s", v.Alert, v.Verdict, v.Reason, v.InTime, v.Phases, v.Detail)
		}
	}
	return res, rec
}

// healthy waits until the shop is as it was before the last scenario.
func healthy(t *testing.T, stage *workloadtest.Stage) {
	t.Helper()
	workloadtest.Await(t, "all healthy", func() bool {
		all, err := stage.Engine.Containers(t.Context())
		if err != nil {
			return false
		}
		for _, c := range all {
			if c.ComposeProject() == stage.Prefix && c.State.Health != "healthy" {
				return false
			}
		}
		return true
	})
}
