package scenarios

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every kind that is built is in the fixture with every argument that it has, and gets the values that are written there.
func TestEveryKindsArguments(t *testing.T) {
	ws, ds := Load("testdata/valid/faults.gameday.hcl", Options{Env: noEnv})
	if len(ds) > 0 {
		t.Fatal(view(ds))
	}
	faults := map[string]*Fault{}
	given := map[string][]string{}
	for _, s := range ws.Scenarios {
		for _, f := range s.Faults {
			faults[f.Name] = f
			given[f.Kind] = append(given[f.Kind], f.ArgNames...)
			for _, n := range f.ArgNames {
				if f.Args[n] == nil {
					t.Errorf("%s: %s is named and has no value", f.Name, n)
				}
			}
			if len(f.ArgNames) != len(f.Args) {
				t.Errorf("%s: %v names not all of %v", f.Name, f.ArgNames, f.Args)
			}
		}
	}
	for _, k := range FaultKinds() {
		if k.Built && faults[k.Name] == nil {
			t.Errorf("there is no fault %s in the fixture", k.Name)
		}
		for _, a := range k.Args {
			// What the network faults have in common is written once.
			common := slices.Contains([]string{"direction", "peers", "protocol", "ports"}, a.Name)
			if !slices.Contains(given[k.Name], a.Name) && !common {
				t.Errorf("%s has no %s in the fixture", k.Name, a.Name)
			}
		}
	}

	store, queue := ws.Targets[1], ws.Targets[2]
	address := func(s string) Peer { return Peer{Prefix: netip.MustParsePrefix(s)} }
	for name, want := range map[string]map[string]any{
		"signal": {"process": "worker", "signal": "USR1"},
		"freeze": {"process": "worker", "signal": "19"},
		"exec": {"run": []string{"mv", "/etc/app.conf", "/etc/app.conf.away"}, "undo": "mv /etc/app.conf.away /etc/app.conf", "user": "root",
			"timeout": 5 * time.Second},
		"oom": {},
		"latency": {"delay": 300 * time.Millisecond, "jitter": 50 * time.Millisecond, "correlation": 25.0, "direction": "both",
			"peers": []Peer{{Target: store}, address("10.0.0.0/8"), address("fd00::7/128")}, "protocol": "tcp",
			"ports": []PortRange{{443, 443}, {5432, 5432}, {8000, 8200}}},
		"loss":       {"percent": 2.5, "correlation": 0.0, "direction": "egress", "peers": []Peer{address("192.168.0.0/16"), address("2001:db8::/32")}},
		"corrupt":    {"percent": 0.1, "correlation": 0.0, "direction": "ingress"},
		"duplicate":  {"percent": 100.0, "correlation": 0.0, "direction": "egress", "protocol": "udp"},
		"reorder":    {"percent": 25.0, "correlation": 50.0, "delay": 20 * time.Millisecond, "direction": "egress"},
		"rate":       {"rate": Rate(1_500_000), "direction": "egress"},
		"partition":  {"direction": "both", "peers": []Peer{{Target: store}, {Target: queue}}},
		"reject":     {"with": "icmp", "direction": "egress", "protocol": "icmp"},
		"disconnect": {"network": "shop_default"},
		"cpu":        {"limit": 0.5},
		"memory":     {"limit": Size(64 << 20)},
		"io":         {"read": Throughput(1 << 20), "write": Throughput(500_000)},
		"stress":     {"cpu": int64(2), "memory": Size(1 << 30)},
		"fill":       {"path": "/var/lib/data", "size": Size(500_000_000)},
		"fill_share": {"path": "/tmp", "percent": 95.0},
	} {
		if got := faults[name].Args; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v\nwant %#v", name, got, want)
		}
	}
}

// An argument is required, has a default that can be read, or says in words what leaving it out means.
func TestEveryArgumentSaysWhatLeavingItOutMeans(t *testing.T) {
	for _, k := range FaultKinds() {
		for _, a := range k.Args {
			switch {
			case a.Default == "" && (a.Optional || a.purpose == ""):
				t.Errorf("%s %s is required, and no message says what it is for", k.Name, a.Name)
			case a.Default == "" || a.Optional:
			case a.Type == "duration":
				if _, err := time.ParseDuration(a.Default); err != nil {
					t.Errorf("%s %s: %v", k.Name, a.Name, err)
				}
			case a.Type == "string" && len(a.Words) > 0 && !slices.Contains(a.Words, a.Default):
				t.Errorf("%s %s: %q is not among its words", k.Name, a.Name, a.Default)
			case a.Type == "percent" && a.Default != "0":
				t.Errorf("%s %s: a share of %s by default", k.Name, a.Name, a.Default)
			case a.Type != "string" && a.Type != "percent":
				t.Errorf("%s %s: nobody reads the default of a %s", k.Name, a.Name, a.Type)
			}
		}
	}
	FaultKinds()[1].Args[0].Name = "changed"
	if FaultKinds()[1].Args[0].Name == "changed" {
		t.Error("who changes the list of kinds changes it for all")
	}
}

func TestDefaultsOfArguments(t *testing.T) {
	ws := mustLoad(t, small(`
scenario "x" {
  fault "signal" "a" {
    target  = target.api
    process = "worker"
  }

  fault "exec" "b" {
    target   = target.api
    duration = "1s"
    run      = "true"
    undo     = "true"
  }

  fault "latency" "c" {
    target   = target.api
    duration = "1s"
    delay    = "1s"
  }

  fault "reorder" "d" {
    target   = target.api
    duration = "1s"
    percent  = 1
  }

  fault "reject" "e" {
    target   = target.api
    duration = "1s"
  }

  fault "partition" "f" {
    target   = target.api
    duration = "1s"
  }
}
`), Options{})
	for i, want := range []string{
		"process=worker signal=TERM", "run=true undo=true timeout=30s", "delay=1s jitter=0s correlation=0 direction=egress",
		"percent=1 correlation=0 delay=10ms direction=egress", "with=tcp-reset direction=egress", "direction=both",
	} {
		s := ws.Scenarios[slices.IndexFunc(ws.Scenarios, func(s *Scenario) bool { return s.Name == "x" })]
		var got []string
		for _, n := range s.Faults[i].ArgNames {
			got = append(got, fmt.Sprintf("%s=%v", n, s.Faults[i].Args[n]))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", s.Faults[i].Kind, strings.Join(got, " "), want)
		}
	}
}

// In JSON the same is written in the same way.
func TestArgumentsInJSON(t *testing.T) {
	text := `{
  "target": { "api": { "name": "api" }, "store": { "name": "store" } },
  "scenario": { "s": { "fault": {
    "latency": { "l": { "target": "target.api", "duration": "1s", "delay": "5ms", "ports": [80, "90-91"],
      "peers": ["target.store", "${target.store}", "10.0.0.0/8", "fd00::/8", "10.0.0.7"] } },
    "exec": { "e": { "target": "target.api", "duration": "1s", "run": ["a", "b"], "undo": "c" } },
    "memory": { "m": { "target": "target.api", "duration": "1s", "limit": "64MiB" } }
  } } }
}`
	_, ds := loadText(t, "x.gameday.json", text, Options{})
	if len(ds) != 1 || ds[0].Summary != "Duplicate peer" {
		t.Fatalf("want one duplicate peer:\n%s", view(ds))
	}
	ws, ds := loadText(t, "x.gameday.json", strings.Replace(text, `"${target.store}", `, "", 1), Options{})
	if len(ds) > 0 {
		t.Fatal(view(ds))
	}
	var peers []string
	for _, p := range ws.Scenarios[0].Faults[0].Peers() {
		peers = append(peers, p.String())
	}
	if got, want := strings.Join(peers, " "), "target.store 10.0.0.0/8 fd00::/8 10.0.0.7"; got != want {
		t.Errorf("peers %s, want %s", got, want)
	}
	for peer, want := range map[string]string{`"db.example.com"`: "Invalid address", `"target.stroe"`: "Unknown target", `"store"`: "Incomplete name"} {
		_, ds := loadText(t, "x.gameday.json", strings.Replace(text, `"${target.store}"`, peer, 1), Options{})
		if len(ds) != 1 || ds[0].Summary != want || ds[0].Line != 5 {
			t.Errorf("%s: want %s:\n%s", peer, want, view(ds))
		}
	}
}

func TestQuantities(t *testing.T) {
	for text, want := range map[string]Size{
		"64MiB": 64 << 20, "1GiB": 1 << 30, "500MB": 500_000_000, "1.5 KiB": 1536, "10b": 10, "1tib": 1 << 40, "8KB": 8000,
	} {
		got, problem := parseSize(text)
		if problem != "" || got != want {
			t.Errorf("%s: %d, %q, want %d", text, got, problem, want)
			continue
		}
		if again, problem := parseSize(got.String()); problem != "" || again != got {
			t.Errorf("%s is written %s, which is %d, %q", text, got, again, problem)
		}
	}
	for n, want := range map[Size]string{64 << 20: "64MiB", 500_000_000: "500MB", 1536: "1536B", 2000: "2kB", 3072: "3KiB", 1_000_001: "1000001B", 0: "0B"} {
		if got := n.String(); got != want {
			t.Errorf("%d bytes are written %s, want %s", int64(n), got, want)
		}
	}
	for text, want := range map[string]string{"1mbit": "1mbit", "200kbit": "200kbit", "1gbit": "1gbit", "1.5mbit": "1500kbit", "1000Kbit": "1mbit"} {
		got, problem := parseRate(text)
		if problem != "" || got.String() != want {
			t.Errorf("%s: %v, %q", text, got, problem)
		}
	}
	for text, want := range map[string]string{
		"": "is no number with a unit", "64": "has no unit", "64m": `"64MiB"`, "64Mi": `"64MiB"`, "64 megs": "is no unit", "-1MiB": "is negative",
		"0MiB": "is nothing", "99999TiB": "is too much", "1e3MiB": "is no unit", "1.2.3MiB": "is no number", "9" + strings.Repeat("0", 400) + "GiB": "is too much",
	} {
		if _, problem := parseSize(text); !strings.Contains(problem, want) {
			t.Errorf("%.20q: %q, want %q", text, problem, want)
		}
	}
	for text, want := range map[string]string{"10mbps": `"10mbit"`, "10m": `"10mbit"`, "10Mb/s": `"10mbit"`, "1bit": "is too little", "1000000gbit": "is too much", "10": "has no unit"} {
		if _, problem := parseRate(text); !strings.Contains(problem, want) {
			t.Errorf("%q: %q, want %q", text, problem, want)
		}
	}
	for text, want := range map[string]string{"1MiB": `"1MiB/s"`, "1mbit/s": "is no unit", "fast": "is no throughput", "1B/s": "is too little", "9999TiB/s": "is too much"} {
		if _, problem := parseThroughput(text); !strings.Contains(problem, want) {
			t.Errorf("%q: %q, want %q", text, problem, want)
		}
	}
}

func TestCommandLines(t *testing.T) {
	for line, want := range map[string]string{
		"touch /tmp/x": "", `a 'b c' "d e" f\ g`: "", `a ''"" ""`: "", `a "b\"c\\d\$e\f"`: "", `sh -c 'echo $HOME | wc > /f'`: "", `a b=c d#e f~ 'x'=1`: "",
		`a \$x \# \~`: "", `./a=b c`: "", `grüße "ä"`: "",
		"  ": "no program", "'' a": "no program", "echo $HOME": "shell", `echo "$HOME"`: "shell", "a `b`": "shell", "a | b": "shell", "a > b": "shell",
		"a *": "shell", "a ~/b": "shell", "a # b": "shell", "a {b,c}": "shell", "a\nb": "shell", "A=b c": "variable", "a 'b": "' has no end",
		`a "b`: `" has no end`, `a "b\`: `" has no end`, `a \`: "at the end",
	} {
		if got := lineProblem(line); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
