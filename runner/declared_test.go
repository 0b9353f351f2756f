package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gameday/inject"
	"gameday/inject/engine"
	"gameday/scenarios"
)

// joined puts a container into networks: "shop=10.0.0.2", "shop=fd00::2".
func joined(c engine.Container, networks ...string) engine.Container {
	c.NetworkMode = "bridge"
	for _, n := range networks {
		name, address, _ := strings.Cut(n, "=")
		e := engine.Endpoint{Network: name}
		if strings.Contains(address, ":") {
			e.IPv6 = address
		} else {
			e.IPv4 = address
		}
		c.Networks = append(c.Networks, e)
	}
	return c
}

func mode(c engine.Container, mode string) engine.Container {
	c.NetworkMode = mode
	return c
}

func TestPeers(t *testing.T) {
	api := joined(container("api", "api"), "shop=10.0.0.2")
	store := joined(container("store", "store"), "shop=10.0.0.3", "shop=fd00::3", "back=10.1.0.3")
	second := joined(container("store-2", "store"), "shop=10.0.0.4")
	beside := mode(container("store-agent", "store"), "container:id-store")
	inside := mode(container("api-agent", "store"), "container:id-api")
	far := joined(container("far", "far"), "elsewhere=10.9.0.2")
	host := mode(container("proxy", "proxy"), "host")
	none := mode(container("batch", "batch"), "none")
	gone := asleep(joined(container("old", "old"), "shop="))
	orphan := mode(container("orphan", "orphan"), "container:id-nobody")
	all := []engine.Container{api, store, second, beside, inside, far, host, none, gone, orphan}

	target := func(name string) scenarios.Peer { return scenarios.Peer{Target: &scenarios.Target{Name: name}} }
	address := func(s string) scenarios.Peer { return scenarios.Peer{Prefix: netip.MustParsePrefix(s)} }
	for _, tt := range []struct {
		says     string
		peers    []scenarios.Peer
		chosen   []engine.Container // of the target that is named
		want     string
		warnings int
		err      string
	}{
		{says: "none is everyone"},
		{says: "addresses as they are", peers: []scenarios.Peer{address("10.0.0.0/8"), address("fd00::7/128")}, want: "10.0.0.0/8 fd00::7"},
		{says: "every address of every container", peers: []scenarios.Peer{target("store")}, chosen: []engine.Container{store, second},
			want: "store/10.0.0.3 store/fd00::3 store/10.1.0.3 store-2/10.0.0.4"},
		{says: "an address once", peers: []scenarios.Peer{address("10.0.0.4/32"), target("store")}, chosen: []engine.Container{second}, want: "10.0.0.4"},
		{says: "the network of another container", peers: []scenarios.Peer{target("store")}, chosen: []engine.Container{store, beside},
			want: "store/10.0.0.3 store/fd00::3 store/10.1.0.3"},
		{says: "itself is left out", peers: []scenarios.Peer{target("all")}, chosen: []engine.Container{api, second, inside}, want: "store-2/10.0.0.4"},
		{says: "only itself", peers: []scenarios.Peer{target("all")}, chosen: []engine.Container{api, inside}, err: "its peers are only api itself"},
		{says: "no network in common", peers: []scenarios.Peer{target("far")}, chosen: []engine.Container{far}, want: "far/10.9.0.2", warnings: 1},
		{says: "the host's network", peers: []scenarios.Peer{target("proxy")}, chosen: []engine.Container{host}, err: "its peer proxy uses the network of the host"},
		{says: "no network", peers: []scenarios.Peer{target("batch")}, chosen: []engine.Container{none}, err: "its peer batch has no network"},
		{says: "no address", peers: []scenarios.Peer{target("old")}, chosen: []engine.Container{gone}, err: "its peer old has no address (it is exited)"},
		{says: "the network of one that is gone", peers: []scenarios.Peer{target("orphan")}, chosen: []engine.Container{orphan}, err: "orphan uses the network of another container"},
		{says: "an engine that does not answer", peers: []scenarios.Peer{target("unknown")}, err: "no answer"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			where := (&Plan{}).around(all)
			where.chosen = func(name string) ([]engine.Container, error) {
				if name == "unknown" {
					return nil, errors.New("no answer")
				}
				return tt.chosen, nil
			}
			got, warnings, err := where.peers(&scenarios.Fault{Args: map[string]any{"peers": tt.peers}}, api)
			if fmt.Sprint(err) != "<nil>" != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			var words []string
			for _, p := range got {
				if p.Name != "" {
					words = append(words, p.Name+"/"+p.Prefix.Addr().String())
					continue
				}
				words = append(words, p.String())
			}
			if strings.Join(words, " ") != tt.want {
				t.Errorf("peers %v, want %s", words, tt.want)
			}
			if len(warnings) != tt.warnings {
				t.Errorf("warnings %q", warnings)
			}
		})
	}
}

func TestDeclared(t *testing.T) {
	peers := []inject.Peer{{Name: "store", Prefix: netip.MustParsePrefix("10.0.0.3/32")}}
	f := &scenarios.Fault{Name: "f", Kind: "latency", Duration: time.Second, Args: map[string]any{
		"delay": time.Second, "percent": 2.5, "with": "icmp", "workers": int64(2), "run": []string{"a", "b"},
		"limit": scenarios.Size(64 << 20), "read": scenarios.Throughput(1 << 20), "rate": scenarios.Rate(1e6),
		"peers": []scenarios.Peer{{Target: &scenarios.Target{Name: "store"}}}, "ports": []scenarios.PortRange{{From: 443, To: 443}, {From: 8000, To: 8100}},
	}}
	want := inject.Fault{Run: "r", Name: "f", Kind: "latency", Duration: time.Second, Args: map[string]any{
		"delay": time.Second, "percent": 2.5, "with": "icmp", "workers": int64(2), "run": []string{"a", "b"},
		"limit": int64(64 << 20), "read": int64(1 << 20), "rate": int64(1e6), "peers": peers, "ports": []string{"443", "8000-8100"},
	}}
	if got := declared("r", f, peers); !reflect.DeepEqual(got, want) {
		t.Errorf("%#v\nwant %#v", got, want)
	}
}

func TestArgumentInWords(t *testing.T) {
	for want, v := range map[string]any{
		"1.5s":                            1500 * time.Millisecond,
		"2.5":                             2.5,
		"100":                             100.0,
		"64MiB":                           scenarios.Size(64 << 20),
		"1MiB/s":                          scenarios.Throughput(1 << 20),
		"1mbit":                           scenarios.Rate(1e6),
		"2":                               int64(2),
		"icmp":                            "icmp",
		`sh -c "rm -f \"/tmp/x y\"" "" a`: []string{"sh", "-c", `rm -f "/tmp/x y"`, "", "a"},
		"443, 8000-8100":                  []scenarios.PortRange{{From: 443, To: 443}, {From: 8000, To: 8100}},
		"target.store, 10.0.0.0/8, fd00::7": []scenarios.Peer{{Target: &scenarios.Target{Name: "store"}}, {Prefix: netip.MustParsePrefix("10.0.0.0/8")},
			{Prefix: netip.MustParsePrefix("fd00::7/128")}},
	} {
		if got := argument(v); got != want {
			t.Errorf("%#v is %q, want %q", v, got, want)
		}
	}
}

// Two faults can act on one container at the same time: what happens to it is ours until both have done.
func TestActingTwice(t *testing.T) {
	w := &watcher{}
	first, second := w.acting("x"), w.acting("x")
	first()
	w.calls["x"].until = time.Now()
	if !w.ours("x", time.Now()) {
		t.Error("the second call is still under way")
	}
	second()
	if !w.ours("x", time.Now()) || w.ours("y", time.Now()) {
		t.Error("it is ours for a moment longer, and nothing else is")
	}
	w.calls["x"].until = time.Now()
	if w.ours("x", time.Now()) {
		t.Error("it is ours for ever")
	}
}

// What the help texts show is what the language takes.
func TestExamplesLoad(t *testing.T) {
	named := regexp.MustCompile(`target\.(\w+)`)
	for _, k := range inject.Kinds() {
		d := k.Doc()
		text := "scenario \"s\" {\n" + d.Example + "\n}\n"
		declared := map[string]bool{}
		for _, m := range named.FindAllStringSubmatch(d.Example, -1) {
			if !declared[m[1]] {
				text += fmt.Sprintf("target %q {\n  name = \"x\"\n}\n", m[1])
			}
			declared[m[1]] = true
		}
		path := filepath.Join(t.TempDir(), "example.gameday.hcl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, ds := scenarios.Load(path, scenarios.Options{}); len(ds) > 0 {
			t.Errorf("the example of %s: %v", d.Kind, ds)
		}
		if formatted, ds := scenarios.Format([]byte(d.Example), path); len(ds) > 0 || string(formatted) != d.Example {
			t.Errorf("the example of %s is formatted as\n%s", d.Kind, formatted)
		}
	}
}

// The language and the fault agree on which command lines need no shell.
func TestCommandLinesAgree(t *testing.T) {
	kind, ok := inject.Lookup("exec")
	if !ok {
		t.Fatal("there is no fault exec")
	}
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		line := rapid.StringOfN(rapid.RuneFrom([]rune(" ab='\"\\$|#~/;ä")), 1, 12, -1).Draw(rt, "line")
		text, err := json.Marshal(map[string]any{
			"target": map[string]any{"x": map[string]any{"name": "x"}},
			"scenario": map[string]any{"s": map[string]any{"fault": map[string]any{"exec": map[string]any{"f": map[string]any{
				"target": "target.x", "duration": "1s", "undo": "true", "run": line}}}}},
		})
		if err != nil {
			rt.Fatal(err)
		}
		path := filepath.Join(dir, "x.gameday.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			rt.Fatal(err)
		}
		_, ds := scenarios.Load(path, scenarios.Options{})
		c := container("x", "x")
		f := inject.Fault{Run: "r", Name: "f", Kind: "exec", Duration: time.Second, Args: map[string]any{"run": line, "undo": "true"}}
		if _, err := kind.Plan(f, c, inject.Host{}); (err != nil) != ds.HasErrors() {
			rt.Fatalf("%q: the language says %v, the fault %v", line, ds, err)
		}
	})
}

func TestStray(t *testing.T) {
	peer := func(name, prefix string) inject.Peer {
		return inject.Peer{Name: name, Prefix: netip.MustParsePrefix(prefix)}
	}
	was := []inject.Peer{peer("", "10.1.0.0/16"), peer("store", "10.0.0.3/32")}
	for _, tt := range []struct {
		says, want string
		now        []inject.Peer
	}{
		{says: "as it was", now: was},
		{says: "one is down", now: was[:1]},
		{says: "another address that is meant as well", now: []inject.Peer{was[0], peer("store", "10.1.7.7/32")}},
		{says: "another address", now: []inject.Peer{was[0], peer("store", "10.0.0.4/32")}, want: "its peer store has the address 10.0.0.4 by now, which the fault is not for"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			if got := stray(was, tt.now); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
