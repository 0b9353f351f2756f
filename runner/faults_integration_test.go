package runner_test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
	"gameday/inject/injecttest"
	"gameday/runner"
	"gameday/runner/journal"
)

// Every kind of fault lives through a whole run on a real container: those of a family in one run, one after the other.
func TestEveryKindHolds(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"pause":   "duration = \"1500ms\"",
		"stop":    "duration = \"1500ms\"\n    grace = \"1s\"",
		"kill":    "duration = \"1500ms\"", // a process that has only just started may be deaf to every other signal
		"crash":   "duration = \"1500ms\"",
		"restart": "grace = \"1s\"",
		"exec":    "duration = \"1500ms\"\n    run = \"/workload print hello exit 0\"\n    undo = [\"/workload\", \"exit\", \"0\"]",

		"latency":    "duration = \"1500ms\"\n    delay = \"20ms\"\n    jitter = \"5ms\"",
		"loss":       "duration = \"1500ms\"\n    percent = 50",
		"corrupt":    "duration = \"1500ms\"\n    percent = 50\n    protocol = \"udp\"",
		"duplicate":  "duration = \"1500ms\"\n    percent = 50",
		"reorder":    "duration = \"1500ms\"\n    percent = 50",
		"rate":       "duration = \"3s\"\n    rate = \"8kbit\"",
		"partition":  "duration = \"1500ms\"",
		"reject":     "duration = \"1500ms\"\n    with = \"icmp\"\n    ports = [9]",
		"disconnect": "duration = \"1500ms\"\n    network = %q",

		"oom":    "duration = \"1500ms\"",
		"signal": "duration = \"1500ms\"\n    process = \"workload\"\n    signal = \"STOP\"",
		"cpu":    "duration = \"1500ms\"\n    limit = 0.02",
		"memory": "duration = \"15s\"\n    limit = \"16MiB\"", // until a busy machine has written as much
		"io":     "duration = \"1500ms\"\n    write = \"1MiB/s\"",
		"stress": "duration = \"1500ms\"\n    cpu = 1\n    memory = \"8MiB\"",
		"fill":   "duration = \"1500ms\"\n    path = \"/data\"\n    size = \"8MiB\"",
	}
	effects := map[string]string{"pause": "paused", "stop": "exited", "kill": "exited", "crash": "exited", "oom": "exited"}
	// What a fault is for must be there for it to hit.
	busy := map[string][]string{"cpu": {"burn"}, "memory": {"spool", "/data/more", "32MiB"}, "io": {"spool", "/data/spool", "256KiB"}}
	families := map[inject.Family][]string{}
	for _, k := range inject.Kinds() {
		families[k.Doc().Family] = append(families[k.Doc().Family], k.Doc().Kind)
	}
	// A busy machine misses a scrape now and then, and this is not about that.
	calm := strings.Replace(steady, `= "steady"`, `= "max_over_time(steady[1s])"`, 1)
	if calm == steady {
		t.Fatal("the steady state is asked for in another way")
	}
	for family, kinds := range families {
		t.Run(string(family), func(t *testing.T) {
			s := realStage(t)
			network := enginetest.TestNetwork(t, s.setup.Engine)
			dir := t.TempDir()
			container := func(args []string) engine.Container {
				return s.container(enginetest.Network(network.Name), enginetest.Args(append(args, "chat", "sleep")...),
					enginetest.With(func(s *engine.Spec) {
						s.Binds = []string{dir + ":/data"}
						if len(args) == 0 || args[0] != "spool" { // what writes has to come to its limit however busy the machine is
							s.CPUShares = 128 // what is burnt here is not to starve the tests beside it
						}
					}))
			}
			idle := container(nil)
			all, on := []engine.Container{idle}, map[string]engine.Container{}
			targets, faults := target("idle", idle), ""
			for i, name := range kinds {
				at := "idle"
				on[name] = idle
				if busy[name] != nil {
					at, on[name] = name, container(busy[name])
					all = append(all, on[name])
					targets += target(at, on[name])
				}
				body := strings.ReplaceAll(bodies[name], "%q", strconv.Quote(network.Name))
				if i > 0 {
					body = fmt.Sprintf("after = fault.%s\n    start = \"200ms\"\n    %s", kinds[i-1], body)
				}
				faults += fmt.Sprintf("  fault %q %q {\n    target = target.%s\n    %s\n  }\n", name, name, at, body)
			}
			during := map[string]string{}
			e := s.rehearse(s.embedded(targets, calm+faults), func(_ *runner.Run, ev journal.Event) {
				if v, ok := ev.Payload.(*journal.FaultVerified); ok {
					during[v.Fault] = s.status(on[v.Fault])
				}
			})
			s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
			s.clean(e, all...)
			e.wantVerdict(t, "steady", journal.Held, journal.ReasonHeld)
			inOrder(t, e, "run.started", "phase.started", "baseline.judged", "fault.intent")
			if res := one[*journal.Residue](t, e); res.Faults != len(kinds) || res.Undone != len(kinds) || res.Helpers != 0 {
				t.Errorf("%+v", res)
			}
			for _, name := range kinds {
				if want := cmp.Or(effects[name], "running"); during[name] != want {
					t.Errorf("in the middle of %s it is %q, want %q", name, during[name], want)
				}
				of := ending{Result: e.Result, rec: &journal.Record{Events: ofFault(e.rec.Events, name)}}
				in, undo := one[*journal.FaultIntent](t, of), one[*journal.UndoVerified](t, of)
				if in.FaultKind != name || in.Container.ID != on[name].ID || undo.Container.ID != on[name].ID || undo.Seen == "" {
					t.Errorf("%s: intent %+v, undo %+v", name, in, undo)
				}
				inOrder(t, of, "fault.intent", "fault.injected", "fault.verified", "undo.started", "undo.verified", "run.residue", "run.ended")
			}
		})
	}
}

// ofFault are the events of a record but for those of other faults.
func ofFault(all []journal.Event, name string) []journal.Event {
	return slices.DeleteFunc(slices.Clone(all), func(ev journal.Event) bool {
		of := name
		switch p := ev.Payload.(type) {
		case *journal.FaultIntent:
			of = p.Fault
		case *journal.FaultInjected:
			of = p.Fault
		case *journal.FaultVerified:
			of = p.Fault
		case *journal.UndoStarted:
			of = p.Fault
		case *journal.UndoVerified:
			of = p.Fault
		}
		return of != name
	})
}

// inOrder checks that the first events of these kinds come in this order.
func inOrder(t *testing.T, e ending, kinds ...string) {
	t.Helper()
	at := -1
	for _, k := range kinds {
		i := slices.IndexFunc(e.rec.Events, func(ev journal.Event) bool { return ev.Payload.Kind() == k })
		if i <= at {
			t.Errorf("%s is event %d, and is to come after %d\n%s", k, i, at, story(e.rec))
			return
		}
		at = i
	}
}

func TestRefutedInTheFault(t *testing.T) {
	s := realStage(t)
	c := s.container()
	var observe = func(_ *runner.Run, ev journal.Event) {
		switch ev.Payload.(type) {
		case *journal.FaultVerified:
			s.numbers.set("steady", "50")
		case *journal.UndoStarted:
			s.numbers.set("steady", "1")
		}
	}
	e := s.rehearse(s.embedded(target("t", c), strict+pauseFor("f", "t", "2s")), observe)
	s.ended(e, journal.OutcomeRefuted, runner.ExitRefuted)
	s.clean(e, c)
	e.wantVerdict(t, "steady", journal.Refuted, journal.ReasonViolated)
}

func TestInconclusiveWithoutData(t *testing.T) {
	s := realStage(t)
	c := s.container()
	e := s.rehearse(s.embedded(target("t", c), strict+pauseFor("f", "t", "2s")),
		on(func(*runner.Run, *journal.FaultVerified) { s.numbers.drop("steady") }))
	s.ended(e, journal.OutcomeInconclusive, runner.ExitInconclusive)
	s.clean(e, c)
	e.wantVerdict(t, "steady", journal.Inconclusive, journal.ReasonNoData)
}

func TestBaselineThatDoesNotHold(t *testing.T) {
	s := realStage(t)
	c := s.container()
	s.numbers.set("steady", "11")
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("f", "t", "2s")), nil)
	s.ended(e, journal.OutcomeNotInjected, runner.ExitInconclusive)
	s.clean(e, c)
	e.wantVerdict(t, "steady", journal.NotTested, journal.ReasonGate)
	if n := len(events[*journal.FaultIntent](e.rec)); n != 0 {
		t.Errorf("%d intents", n)
	}
}

// A fault that begins where the last one on the same container ends must not meet what that one has done.
func TestChainOnOneContainer(t *testing.T) {
	s := realStage(t)
	c := s.container()
	e := s.rehearse(s.embedded(target("t", c), steady+pauseFor("first", "t", "1s")+`
  fault "stop" "second" {
    target   = target.t
    after    = fault.first
    grace    = "1s"
    duration = "1s"
  }
  fault "pause" "third" {
    target   = target.t
    after    = fault.second
    start    = "100ms"
    duration = "1s"
  }
`), nil)
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
	var order []string
	for _, ev := range e.rec.Events {
		switch p := ev.Payload.(type) {
		case *journal.FaultIntent:
			order = append(order, "intent "+p.Fault)
		case *journal.UndoVerified:
			order = append(order, "undone "+p.Fault)
		}
	}
	if got, want := strings.Join(order, ", "), "intent first, undone first, intent second, undone second, intent third, undone third"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, v := range events[*journal.FaultVerified](e.rec) {
		for _, u := range events[*journal.UndoStarted](e.rec) {
			if _, at := find(e, u); v.Fault == u.Fault && at.Sub(v.Effect) < time.Second {
				t.Errorf("fault.%s was in force for %v only", v.Fault, at.Sub(v.Effect))
			}
		}
	}
}

func find(e ending, p journal.Payload) (journal.Event, time.Time) {
	for _, ev := range e.rec.Events {
		if ev.Payload == p {
			return ev, ev.Time
		}
	}
	return journal.Event{}, time.Time{}
}

func TestTwoFaultsAtOnce(t *testing.T) {
	s := realStage(t)
	a, b := s.container(), s.container()
	var during []string
	e := s.rehearse(s.embedded(target("a", a)+target("b", b), steady+pauseFor("first", "a", "5s")+`
  fault "kill" "second" {
    target   = target.b
    start    = "500ms"
    duration = "3s"
  }
`), func(_ *runner.Run, ev journal.Event) {
		if p, ok := ev.Payload.(*journal.FaultVerified); ok && p.Fault == "second" {
			during = []string{s.status(a), s.status(b)}
		}
	})
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, a, b)
	if !slices.Equal(during, []string{"paused", "exited"}) {
		t.Errorf("in the middle: %q", during)
	}
}

// A stop lasts as long as its duration says from when the process has ended, however long that takes.
func TestDurationIsThatOfTheEffect(t *testing.T) {
	s := realStage(t)
	c := s.container(enginetest.Args("ignore", "sleep"))
	e := s.rehearse(s.embedded(target("t", c), steady+`
  fault "stop" "f" {
    target   = target.t
    grace    = "2s"
    duration = "1s"
  }
`), nil)
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
	if _, undone := find(e, one[*journal.UndoStarted](t, e)); undone.Sub(one[*journal.FaultVerified](t, e).Effect) < time.Second {
		t.Errorf("it was in force for less than a second\n%s", story(e.rec))
	}
}

// A crash without a duration is left to the restart policy, and put back where there is none.
func TestCrashIsLeftToTheRestartPolicy(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]journal.UndoWhy{"always": journal.UndoRestarted, "no": journal.UndoPutBack} {
		t.Run(policy, func(t *testing.T) {
			s := realStage(t)
			// The engine waits before it restarts what did not run for ten seconds: a tenth of a second at first. A busy one takes
			// longer over the start itself, and the policy has as long as the recovery is.
			c := s.container(enginetest.RestartPolicy(policy))
			text := s.embedded(target("t", c), steady+"  fault \"crash\" \"f\" {\n    target = target.t\n  }\n")
			if policy == "always" {
				text = strings.Replace(text, `recovery = "1s"`, `recovery = "10s"`, 1)
			}
			e := s.rehearse(text, nil)
			s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
			s.clean(e, c)
			if u := one[*journal.UndoStarted](t, e); u.Why != want {
				t.Errorf("undone because %s, want %s\n%s", u.Why, want, story(e.rec))
			}
			if restarts := injecttest.Outside(t, c.ID).RestartCount; (restarts == 1) != (policy == "always") {
				t.Errorf("%d restarts by the policy", restarts)
			}
		})
	}
}

// No restart policy acts after a kill by the engine.
func TestKillWithoutDurationIsPutBack(t *testing.T) {
	s := realStage(t)
	c := s.container(enginetest.RestartPolicy("always"))
	e := s.rehearse(s.embedded(target("t", c), steady+"  fault \"kill\" \"f\" {\n    target = target.t\n  }\n"), nil)
	s.ended(e, journal.OutcomeHeld, runner.ExitHeld)
	s.clean(e, c)
	if u := one[*journal.UndoStarted](t, e); u.Why != journal.UndoPutBack {
		t.Errorf("undone because %s", u.Why)
	}
}

// A process that survives its signal was not harmed, and nothing was tested.
func TestFaultThatDoesNothing(t *testing.T) {
	s := realStage(t)
	c := s.container(enginetest.Args("ignore", "sleep"))
	time.Sleep(300 * time.Millisecond) // until it ignores
	e := s.rehearse(s.embedded(target("t", c), steady+`
  fault "kill" "f" {
    target   = target.t
    signal   = "TERM"
    duration = "2s"
  }
`), nil)
	s.ended(e, journal.OutcomeNotInjected, runner.ExitInconclusive)
	s.clean(e, c)
	e.wantVerdict(t, "steady", journal.NotTested, journal.ReasonNotInjected)
	says(t, one[*journal.FaultNotInjected](t, e).Reason, "survived SIGTERM")
}

// What somebody else does to a target in the middle of its fault is recorded, and nothing is held on it.
func TestSomebodyElse(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name, fault string
		args        []string // of the docker command
		says        []string // one of them: the fault may be looked at while somebody is still at it
		gone        bool
	}{
		{"unpaused", "pause", []string{"unpause"}, []string{"unpaused"}, false},
		{"pause and removed", "pause", []string{"rm", "-f"}, []string{"removed", "removing"}, true},
		{"pause and killed", "pause", []string{"kill"}, []string{"exited"}, false},
		{"pause and restarted", "pause", []string{"restart", "-t", "0"}, []string{"restarted", "exited", "unpaused"}, false},
		{"kill and started", "kill", []string{"start"}, []string{"started it again"}, false},
		{"kill and removed", "kill", []string{"rm", "-f"}, []string{"removed", "removing"}, true},
		{"crash and removed", "crash", []string{"rm", "-f"}, []string{"removed", "removing"}, true},
		{"stopped by a signal and woken", "signal", []string{"kill", "--signal", "CONT"}, []string{"are stopped"}, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := realStage(t)
			c := s.container()
			arguments := map[string]string{"signal": "    process = \"workload\"\n    signal = \"STOP\"\n"}[x.fault]
			e := s.rehearse(s.embedded(target("t", c), steady+fmt.Sprintf("  fault %q \"f\" {\n    target = target.t\n    duration = \"8s\"\n%s  }\n", x.fault, arguments)),
				on(func(*runner.Run, *journal.FaultVerified) { injecttest.Docker(t, append(x.args, c.Name)...) }))
			s.ended(e, journal.OutcomeInconclusive, runner.ExitInconclusive)
			e.wantVerdict(t, "steady", journal.Inconclusive, journal.ReasonFaultEnded)
			reason := one[*journal.FaultEndedEarly](t, e).Reason
			if !slices.ContainsFunc(x.says, func(w string) bool { return strings.Contains(reason, w) }) {
				t.Errorf("%q says none of %q", reason, x.says)
			}
			if x.gone {
				s.clean(e)
				undo := one[*journal.UndoVerified](t, e)
				if !strings.Contains(undo.Seen, "gone") && !strings.Contains(undo.Seen, "removing") {
					t.Errorf("%+v", undo)
				}
				return
			}
			if x.name == "pause and killed" {
				// That is somebody's will, and not the fault's: it is not started again.
				if got := s.status(c); got != "exited" {
					t.Errorf("it is %s", got)
				}
				s.clean(e)
				return
			}
			s.clean(e, c)
		})
	}
}

// A crash without a duration whose target is removed was not put back by a restart policy.
func TestRemovedWhileLeftToThePolicy(t *testing.T) {
	s := realStage(t)
	c := s.container()
	e := s.rehearse(strings.Replace(s.embedded(target("t", c), steady+"  fault \"crash\" \"f\" {\n    target = target.t\n  }\n"), `recovery = "1s"`, `recovery = "4s"`, 1),
		on(func(*runner.Run, *journal.FaultVerified) { injecttest.Docker(t, "rm", "-f", c.Name) }))
	s.ended(e, journal.OutcomeInconclusive, runner.ExitInconclusive)
	s.clean(e)
	if u := one[*journal.UndoStarted](t, e); u.Why == journal.UndoRestarted {
		t.Errorf("undone because %s", u.Why)
	}
}

// A target that somebody has paused before the fault is not touched, and not unpaused either.
func TestTargetIsNotAsPlanned(t *testing.T) {
	s := realStage(t)
	a, c := s.container(), s.container()
	e := s.rehearse(s.embedded(target("a", a)+target("t", c), steady+pauseFor("first", "a", "4s")+`
  fault "pause" "second" {
    target   = target.t
    start    = "3s"
    duration = "1s"
  }
`), on(func(*runner.Run, *journal.FaultVerified) { injecttest.Docker(t, "pause", c.Name) }))
	s.ended(e, journal.OutcomeNotInjected, runner.ExitInconclusive)
	if got := s.status(c); got != "paused" {
		t.Errorf("it is %s: gameday undid what somebody else did", got)
	}
	s.clean(e, a)
	says(t, one[*journal.FaultNotInjected](t, e).Reason, c.Name, "paused")
}

func TestTargets(t *testing.T) {
	s := realStage(t)
	group := enginetest.Unique("g")
	c, other := s.container(enginetest.Labels(map[string]string{"group": group})), s.container(enginetest.Labels(map[string]string{"group": group}))
	e := s.setup.Engine
	image, err := s.setup.Tools.Helper(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	helper := enginetest.Unique("gameday-helper")
	id, err := e.Create(enginetest.Context(t), engine.Spec{Name: helper, Image: image, Cmd: []string{"version"}, Network: "none",
		Labels: map[string]string{engine.Label: enginetest.RunLabel(), engine.RoleLabel: "helper"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Remove(enginetest.Context(t), id) })
	asleep := enginetest.Create(t, e, enginetest.Unique("gameday-runner"))
	plan := func(target, body string, self string) error {
		s.setup.Self = self
		defer func() { s.setup.Self = "" }()
		_, err := s.plan(s.embedded("target \"t\" {\n"+target+"\n}\n", steady+pauseFor("f", "t", "2s")+body), nil)
		return err
	}
	for _, x := range []struct {
		name, target, body, self string
		says                     []string
	}{
		{"nothing", `  name = "no-such-container-here"`, "", "", []string{"matches no container", "docker ps"}},
		{"one that does not run", fmt.Sprintf("  name = %q", asleep.Name), "", "", []string{"none that runs", "start it"}},
		{"too much", fmt.Sprintf("  labels = { group = %q }", group), "  blast_radius {\n    max_targets = 1\n  }\n", "", []string{c.Name, other.Name, "max_targets is 1"}},
		{"more than there is", fmt.Sprintf("  labels = { group = %q }\n  pick = 3", group), "", "", []string{"pick 3", "only 2"}},
		{"gameday's own helper", fmt.Sprintf("  name = %q", helper), "", "", []string{helper, "a helper of gameday's own"}},
		{"the runner's own container", fmt.Sprintf("  name = %q", c.Name), "", c.ID, []string{c.Name, "gameday itself runs in"}},
		{"the runner's own container by its short id", fmt.Sprintf("  name = %q", c.Name), "", c.ID[:12], []string{c.Name, "gameday itself runs in"}},
	} {
		err := plan(x.target, x.body, x.self)
		problems, refused := runner.IsRefusal(err)
		if !refused {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		for _, p := range problems {
			if p.File == "" || p.Line == 0 || p.Block == "" {
				t.Errorf("%s: no place: %+v", x.name, p)
			}
		}
		says(t, problems[0].Message, x.says...)
	}
	if err := plan(fmt.Sprintf("  name = %q", c.Name), "", ""); err != nil {
		t.Error(err)
	}
}
