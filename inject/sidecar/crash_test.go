package sidecar

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var (
	id      = strings.Repeat("0a", 32)
	otherID = strings.Repeat("1b", 32)
)

func TestBelongs(t *testing.T) {
	tests := []struct {
		name, groups string
		want         bool
	}{
		{"version 1", "12:pids:/docker/" + id + "\n4:memory:/docker/" + id + "\n0::/\n", true},
		{"version 1, some controllers elsewhere", "12:pids:/docker/" + id + "\n4:rdma:/\n", true},
		{"version 1, own parent group", "4:memory:/team/a/" + id + "\n", true},
		{"version 1, named hierarchy", "1:name=systemd:/docker/" + id + "\n", true},
		{"version 2, cgroupfs", "0::/docker/" + id + "\n", true},
		{"version 2, systemd", "0::/system.slice/docker-" + id + ".scope\n", true},
		{"version 2, rootless", "0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + id + ".scope\n", true},
		{"version 2, another namespace", "0::/../" + id + "\n", true},
		{"version 2, another namespace, systemd", "0::/../docker-" + id + ".scope\n", true},
		{"groups of its own", "0::/system.slice/docker-" + id + ".scope/init.scope\n", true},
		{"without a final newline", "0::/docker/" + id, true},

		{"empty", "", false},
		{"the host", "0::/init.scope\n", false},
		{"own namespace's root", "0::/\n", false},
		{"another container", "0::/docker/" + otherID + "\n", false},
		{"a container inside", "0::/docker/" + id + "/docker/" + otherID + "\n", false},
		{"inside another container", "0::/docker/" + otherID + "/docker/" + id + "\n", true},
		{"two containers", "4:memory:/docker/" + id + "\n5:cpu:/docker/" + otherID + "\n", false},
		{"a longer name", "0::/docker/" + id + "00\n", false},
		{"a shorter name", "0::/docker/" + id[:63] + "\n", false},
		{"as a controller's name", id + ":" + id + ":/\n", false},
		{"another prefix", "0::/docker/x" + id + "\n", false},
		{"no lines of groups", id + "\n", false},
	}
	for _, tt := range tests {
		if got := belongs(tt.groups, id); got != tt.want {
			t.Errorf("%s: got %v, want %v for\n%s", tt.name, got, tt.want, tt.groups)
		}
	}
}

func FuzzBelongs(f *testing.F) {
	f.Add("0::/docker/" + id)
	f.Add("12:pids:/docker/" + id + "\n0::/")
	f.Fuzz(func(t *testing.T, groups string) {
		if belongs(groups, id) && !strings.Contains(groups, id) {
			t.Errorf("%q does not name the container", groups)
		}
	})
}

func TestArguments(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{nil, "which command"},
		{[]string{"nonsense"}, "no command \"nonsense\""},
		{[]string{"crash"}, "two arguments"},
		{[]string{"crash", "1", id, "x"}, "two arguments"},
		{[]string{"crash", "1", id}, "no process id"},
		{[]string{"crash", "0", id}, "no process id"},
		{[]string{"crash", "-5", id}, "no process id"},
		{[]string{"crash", "x", id}, "no process id"},
		{[]string{"crash", "99999999999999999999", id}, "no process id"},
		{[]string{"crash", "4711", "shop-store-1"}, "no container id"},
		{[]string{"crash", "4711", ""}, "no container id"},
		{[]string{"crash", "4711", strings.ToUpper(id)}, "no container id"},
	}
	for _, tt := range tests {
		var out, errs bytes.Buffer
		if code := Main(tt.args, nil, &out, &errs); code != ExitUsage || !strings.Contains(errs.String(), tt.want) || out.Len() > 0 {
			t.Errorf("%q: exit code %d, %q, %q; want %d and %q", tt.args, code, &out, &errs, ExitUsage, tt.want)
		}
	}
}

// A process that is in no container, or in another one, is left alone.
func TestForeignProcess(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(cmd.Process.Pid)
	var out, errs bytes.Buffer
	if code := Main([]string{"crash", pid, id}, nil, &out, &errs); code != ExitNotThere || !strings.Contains(errs.String(), "left alone") {
		t.Errorf("exit code %d, %q", code, &errs)
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the process is gone: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	errs.Reset()
	if code := Main([]string{"crash", pid, id}, nil, &out, &errs); code != ExitNotThere || !strings.Contains(errs.String(), "ended already") {
		t.Errorf("of a process that has ended: exit code %d, %q", code, &errs)
	}
}

// Helpers must start at once and stay small: nothing of the engine's client may be linked into what they run.
func TestLightImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	list, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields(string(list)) {
		first, _, _ := strings.Cut(pkg, "/")
		if strings.Contains(first, ".") && first != "golang.org" || pkg == "net/http" || pkg == "gameday/inject/engine" {
			t.Errorf("the sidecar imports %s", pkg)
		}
	}
}
