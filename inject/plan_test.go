package inject

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gameday/inject/engine"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares with a file under testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run the tests with -update and look at the difference. Now:\n%s", path, got)
	}
}

func TestKinds(t *testing.T) {
	var names []string
	for _, k := range Kinds() {
		name := k.Doc().Kind
		names = append(names, name)
		if found, ok := Lookup(name); !ok || found != k {
			t.Errorf("Lookup(%q) returned %v, %v", name, found, ok)
		}
	}
	want := []string{"pause", "stop", "kill", "crash", "restart", "oom", "signal", "exec",
		"latency", "loss", "corrupt", "duplicate", "reorder", "rate", "partition", "reject",
		"disconnect", "cpu", "memory", "io", "stress", "fill"}
	if !slices.Equal(names, want) {
		t.Errorf("the kinds are %q, want %q", names, want)
	}
	if _, ok := Lookup("no such"); ok {
		t.Error("Lookup found a kind that is none")
	}
	Kinds()[0] = nil
	if Kinds()[0] == nil {
		t.Error("a caller can change the kinds")
	}
}

// sampleArgs are the arguments that kinds cannot do without.
var sampleArgs = map[string]map[string]any{
	"latency":    {"delay": 200 * time.Millisecond, "jitter": 20 * time.Millisecond, "ports": []string{"5432", "8000-8100"}, "protocol": "tcp"},
	"loss":       {"percent": 5.0, "direction": "ingress"},
	"corrupt":    {"percent": 0.5},
	"duplicate":  {"percent": 5.0},
	"reorder":    {"percent": 25.0},
	"rate":       {"rate": int64(1_000_000)},
	"partition":  {"peers": []Peer{{Name: "shop-api-1", Prefix: netip.MustParsePrefix("172.18.0.3/32")}, {Prefix: netip.MustParsePrefix("fd00::/8")}}},
	"exec":       {"run": "touch '/tmp/no cache'", "undo": []string{"rm", "-f", "/tmp/no cache"}, "user": "root"},
	"disconnect": {"network": "shop"},
	"signal":     {"process": "worker", "signal": "STOP"},
	"cpu":        {"limit": 0.25},
	"memory":     {"limit": int64(64 << 20)},
	"io":         {"read": int64(1 << 20), "write": int64(1 << 19)},
	"stress":     {"cpu": int64(2), "memory": int64(64 << 20)},
	"fill":       {"path": "/var/lib/data", "percent": 95.0},
}

// runningContainer is one as the engine shows it.
func runningContainer(policy string) engine.Container {
	return engine.Container{
		ID: strings.Repeat("ab", 32), Name: "shop-store-1", RestartPolicy: policy, RestartCount: 2,
		State: engine.State{
			Status: "running", Running: true, PID: 4711, Health: "healthy",
			StartedAt: time.Date(2026, 11, 22, 10, 4, 31, 5, time.UTC),
		},
		Networks: []engine.Endpoint{
			{Network: "shop", NetworkID: "n1", IPv4: "172.18.0.3", Aliases: []string{"store", "shop-store-1"}},
			{Network: "admin", NetworkID: "n2", IPv4: "172.19.0.2", IPv6: "fd00::2"},
		},
	}
}

// What people read before they agree to a fault.
func TestWords(t *testing.T) {
	var out bytes.Buffer
	for _, k := range Kinds() {
		for _, policy := range []string{"no", "always"} {
			for _, d := range []time.Duration{0, 30 * time.Second} {
				f := Fault{Run: "r", Name: "f", Kind: k.Doc().Kind, Duration: d, Args: sampleArgs[k.Doc().Kind]}
				fmt.Fprintf(&out, "%s, duration %v, restart policy %s\n", f.Kind, d, policy)
				s, err := k.Plan(f, runningContainer(policy), Host{})
				if err != nil {
					fmt.Fprintf(&out, "  refused: %v\n", err)
					continue
				}
				fmt.Fprintf(&out, "  does:    %s\n  undo:    %s\n  by hand: %s\n", s.Does, s.UndoWords, ByHand(s.Undo))
				for _, w := range s.Warnings {
					fmt.Fprintf(&out, "  warning: %s\n", w)
				}
			}
		}
	}
	golden(t, "words.txt", out.Bytes())
}

// An undo in a journal must be readable by every later gameday.
func TestUndoRecord(t *testing.T) {
	var out bytes.Buffer
	for _, k := range Kinds() {
		f := Fault{Run: "r", Name: "f", Kind: k.Doc().Kind, Duration: time.Second, Args: sampleArgs[k.Doc().Kind]}
		s, err := k.Plan(f, runningContainer("always"), Host{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(s.Undo, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\n", text)
	}
	golden(t, "undo.json", out.Bytes())
}

func TestArguments(t *testing.T) {
	tests := []struct {
		kind, arg string
		value     any
		want      string // of the error; empty: fine
	}{
		{"stop", "grace", 5 * time.Second, ""},
		{"stop", "grace", time.Duration(0), ""},
		{"stop", "grace", 1500 * time.Millisecond, "whole seconds"},
		{"stop", "grace", -time.Second, "less than nothing"},
		{"stop", "grace", 2 * time.Hour, "the longest is"},
		{"restart", "grace", "5s", "must be a duration"},
		{"exec", "run", "touch $HOME", "needs a shell"},
		{"exec", "run", []string{}, "names no program"},
		{"exec", "undo", nil, "undo is missing"},
		{"exec", "timeout", time.Minute, ""},
		{"exec", "timeout", time.Duration(0), "longer than nothing"},
		{"exec", "timeout", 2 * time.Hour, "at most"},
		{"disconnect", "network", "n2", ""},
		{"disconnect", "network", "other", "it is in admin, shop"},
		{"disconnect", "network", "", "is missing"},
		{"kill", "signal", "TERM", ""},
		{"kill", "signal", " sigterm ", ""},
		{"kill", "signal", "15", ""},
		{"kill", "signal", "", "no signal"},
		{"kill", "signal", "0", "no signal"},
		{"kill", "signal", "-1", "no signal"},
		{"kill", "signal", "99", "no signal"},
		{"kill", "signal", "SIG", "no signal"},
		{"kill", "signal", "NOSUCH", "no signal"},
		{"kill", "signal", int64(9), "text in quotes"},
		{"kill", "signal", "STOP", "use fault \"pause\""},
		{"kill", "signal", "20", "use fault \"pause\""},
		{"kill", "signal", "CONT", "ends no process"},
		{"pause", "grace", time.Second, "takes no argument \"grace\""},
	}
	for _, tt := range tests {
		k, _ := Lookup(tt.kind)
		f := Fault{Name: "f", Kind: tt.kind, Duration: time.Second, Args: maps.Clone(sampleArgs[tt.kind])}
		if f.Args == nil {
			f.Args = map[string]any{}
		}
		f.Args[tt.arg] = tt.value
		_, err := k.Plan(f, runningContainer("no"), Host{})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s with %s = %v: got %v, want an error with %q", tt.kind, tt.arg, tt.value, err, tt.want)
		}
	}
}

func TestSignalNames(t *testing.T) {
	for given, want := range map[string]string{"KILL": "SIGKILL", "sigkill": "SIGKILL", "9": "SIGKILL", "10": "SIGUSR1", "31": "SIGSYS", "hup": "SIGHUP"} {
		if got, err := signalArg(Fault{Args: map[string]any{"signal": given}}); got != want || err != nil {
			t.Errorf("%q is %q, %v; want %q", given, got, err, want)
		}
	}
}

func TestDifferencesInWords(t *testing.T) {
	c := runningContainer("always")
	u := Undo{Name: c.Name, Before: stateOf(c)}
	if d := differences(u, c); d != nil {
		t.Errorf("nothing has changed, but %q", d)
	}
	c.Networks[0].Aliases = []string{"shop-store-1", "store", "store"}
	slices.Reverse(c.Networks)
	if d := differences(u, c); d != nil {
		t.Errorf("only the order has changed, but %q", d)
	}
	c.Name = "store"
	c.State.Health, c.State.Status = "starting", "paused"
	c.RestartPolicy, c.RestartCount = "no", 0
	c.Networks = []engine.Endpoint{
		{Network: "shop", IPv4: "172.18.0.9"},
		{Network: "other"},
	}
	want := []string{
		"name is store, was shop-store-1",
		"status is paused, was running",
		"health is starting, was healthy",
		"restart policy is no, was always",
		"restart count is 0, was 2",
		"it is not in network admin any more",
		"address in shop is 172.18.0.9, was 172.18.0.3",
		"list of aliases in shop is none, was shop-store-1, store",
		"it is in network other, and was not",
	}
	if got := differences(u, c); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// Records come from disks: whatever one says, an undo knows how long to wait.
func TestUnderWay(t *testing.T) {
	for extra, want := range map[string]time.Duration{
		`{"grace_s":3}`:             3*time.Second + settle,
		`{"grace_s":0}`:             settle,
		`{"grace_s":-3}`:            defaultGrace + settle,
		`{"grace_s":9000000000000}`: defaultGrace + settle,
		`{"grace_s":"x"}`:           defaultGrace + settle,
		`{`:                         defaultGrace + settle,
		``:                          defaultGrace + settle,
	} {
		if got := underWay(Undo{Extra: json.RawMessage(extra)}); got != want {
			t.Errorf("%s: got %v, want %v", extra, got, want)
		}
	}
}

func TestUndoLimit(t *testing.T) {
	for _, tt := range []struct {
		u    Undo
		want time.Duration
	}{
		{Undo{Kind: "pause"}, time.Minute},
		{Undo{Kind: "no such"}, time.Minute},
		{Undo{Kind: "stop", Extra: json.RawMessage(`{"grace_s":90}`)}, 150*time.Second + settle},
		{Undo{Kind: "exec", Extra: json.RawMessage(`{"run":["a"],"undo":["b"],"timeout_s":90}`)}, 150 * time.Second},
		{Undo{Kind: "exec"}, 90 * time.Second},
		{Undo{Kind: "restart", Extra: json.RawMessage(`{"grace_s":1}`)}, 61*time.Second + settle},
	} {
		if got := UndoLimit(tt.u); got != tt.want {
			t.Errorf("%s %s: got %v, want %v", tt.u.Kind, tt.u.Extra, got, tt.want)
		}
	}
}

func TestPerformOfDamagedRecords(t *testing.T) {
	for _, u := range []Undo{{}, {Kind: "no such", ID: "x"}, {Kind: "pause"}} {
		if p, err := Perform(t.Context(), Tools{}, u); err == nil {
			t.Errorf("Perform(%+v) returned %+v and no error", u, p)
		}
	}
	if s := ByHand(Undo{Kind: "no such"}); s != "" {
		t.Errorf("ByHand of an unknown kind returned %q", s)
	}
	for sig, want := range map[string]string{"SIGHUP": "docker start shop", "SIGSTOP": "docker restart shop"} {
		if s := ByHand(Undo{Kind: "signal", Name: "shop", Extra: json.RawMessage(`{"process":"worker","signal":"` + sig + `"}`)}); s != want {
			t.Errorf("ByHand of %s returned %q, want %q", sig, s, want)
		}
	}
	if s := ByHand(Undo{Kind: "pause", ID: "abc"}); s != "docker unpause abc" {
		t.Errorf("ByHand without a name returned %q", s)
	}
}
