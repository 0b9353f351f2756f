package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
)

func TestDialError(t *testing.T) {
	wrap := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", errno)}
	}
	for _, x := range []struct {
		err      error
		sentinel error
		text     string
	}{
		{wrap(syscall.EACCES), ErrPermission, "add yourself to the docker group, or use sudo"},
		{wrap(syscall.EPERM), ErrPermission, "permission denied"},
		{wrap(syscall.ENOENT), ErrUnreachable, "there is no socket /s; is the daemon running? start it, or set DOCKER_HOST"},
		{wrap(syscall.ECONNREFUSED), ErrUnreachable, "nothing listens at /s"},
		{wrap(syscall.EHOSTUNREACH), ErrUnreachable, "no route to host"},
		{&net.DNSError{Name: "nowhere", IsNotFound: true}, ErrUnreachable, "there is no host nowhere"},
		{os.ErrDeadlineExceeded, ErrUnreachable, "in time"},
	} {
		err := dialError("unix:///s", x.err)
		if !errors.Is(err, x.sentinel) || !errors.Is(err, x.err) || !strings.Contains(err.Error(), x.text) {
			t.Errorf("%v becomes %v", x.err, err)
		}
		for _, taboo := range []string{"connection refused", "dial unix"} { // the client would replace it by its own text
			if strings.Contains(err.Error(), taboo) {
				t.Errorf("%q holds %q", err, taboo)
			}
		}
		if x.sentinel == ErrPermission && errors.Is(err, ErrUnreachable) {
			t.Errorf("%v is unreachable, too", err)
		}
	}
	if err := dialError("unix:///s", nil); err != nil {
		t.Error(err)
	}
	if err := dialError("unix:///s", context.Canceled); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("cancelled: %v", err)
	}
}

const (
	idA = "1f2e3d4c5b6a79880716253443526170f1e2d3c4b5a697887960514233241506"
	idB = "aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999"
)

func TestSelfFromCgroup(t *testing.T) {
	for name, x := range map[string]struct{ text, want string }{
		"docker, v1":             {"12:pids:/docker/" + idA + "\n11:memory:/docker/" + idA + "\n0::/system.slice/containerd.service\n", idA},
		"docker, v1, systemd":    {"5:cpu,cpuacct:/system.slice/docker-" + idA + ".scope\n1:name=systemd:/system.slice/docker-" + idA + ".scope\n", idA},
		"docker, v2, host cgns":  {"0::/system.slice/docker-" + idA + ".scope\n", idA},
		"docker, v2":             {"0::/\n", ""},
		"docker in docker":       {"1:name=systemd:/docker/" + idB + "/docker/" + idA + "\n", idA},
		"below the container's":  {"0::/docker/" + idA + "/init\n", idA},
		"containerd, kubernetes": {"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-containerd-" + idA + ".scope\n", idA},
		"containerd, colons":     {"2:cpu:/system.slice/containerd.service/kubepods-pod2.slice:cri-containerd:" + idA + "\n", idA},
		"kubernetes, cgroupfs":   {"4:memory:/kubepods/burstable/podd3a0b8a4-0f0c-11ee-8c7b-0242ac110002/" + idA + "\n", idA},
		"podman":                 {"0::/machine.slice/libpod-" + idA + ".scope/container\n", idA},
		"podman, rootless":       {"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + idA + ".scope\n", idA},
		"host":                   {"0::/user.slice/user-1000.slice/session-2.scope\n", ""},
		"host, v1":               {"3:devices:/system.slice/docker.service\n2:cpu:/\n0::/system.slice/ssh.service\n", ""},
		"empty":                  {"", ""},
		"garbage":                {"a:b\n::\n:::\n\x00", ""},
		"too short an id":        {"0::/docker/" + idA[:63] + "\n", ""},
	} {
		if got := selfFromCgroup(x.text); got != x.want {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
	}
}

func TestSelfFromMountinfo(t *testing.T) {
	docker := func(id, dir string) string {
		return fmt.Sprintf(`1563 1427 0:155 / / rw,relatime master:480 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/ABC,upperdir=/var/lib/docker/overlay2/%[3]s/diff
1564 1563 0:158 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
1572 1563 254:1 %[2]s/containers/%[1]s/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda1 rw,discard
1573 1563 254:1 %[2]s/containers/%[1]s/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw,discard
1574 1563 254:1 %[2]s/containers/%[1]s/hosts /etc/hosts rw,relatime - ext4 /dev/vda1 rw,discard
`, id, dir, idB)
	}
	for name, x := range map[string]struct{ text, want string }{
		"docker":                {docker(idA, "/var/lib/docker"), idA},
		"docker, own partition": {docker(idA, "/docker"), idA},
		"podman": {"700 650 0:25 /containers/overlay-containers/" + idA + "/userdata/hostname /etc/hostname rw,nosuid,nodev - tmpfs tmpfs rw\n" +
			"701 650 0:25 /containers/overlay-containers/" + idA + "/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw\n", idA},
		"host": {"29 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n" +
			"480 29 0:50 / /var/lib/docker/overlay2/" + idB + "/merged rw,relatime - overlay overlay rw\n" +
			"481 29 0:51 / /var/lib/docker/containers/" + idB + "/mounts/shm rw - tmpfs shm rw\n", ""},
		"the engine's directory mounted": {"90 80 254:1 /var/lib/docker/containers/" + idB + " /watched rw - ext4 /dev/vda1 rw\n" + docker(idA, "/var/lib/docker"), idA},
		"kubernetes' sandbox":            {"90 80 254:1 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/" + idB + "/hostname /etc/hostname rw - ext4 /dev/vda1 rw\n", ""},
		"empty":                          {"", ""},
		"garbage":                        {"1 2 3\n\n/ / / / /etc/hosts\n", ""},
	} {
		if got := selfFromMountinfo(x.text); got != x.want {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
	}
}

func TestSelfFromHostname(t *testing.T) {
	for name, want := range map[string]string{"1f2e3d4c5b6a": "1f2e3d4c5b6a", "shop-api-1": "", "1f2e3d4c5b6": "", "": ""} {
		if got := selfFromHostname(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func FuzzSelf(f *testing.F) {
	f.Add("0::/docker/" + idA)
	f.Add("1 2 3 /containers/" + idA + "/x /etc/hosts")
	f.Fuzz(func(t *testing.T, text string) {
		for _, id := range []string{selfFromCgroup(text), selfFromMountinfo(text)} {
			if id != "" && len(id) != 64 {
				t.Errorf("%q", id)
			}
		}
	})
}

func TestShort(t *testing.T) {
	if got := short("Container " + idA + " is not paused"); got != "Container "+idA[:12]+" is not paused" {
		t.Error(got)
	}
}

func TestOwnAliases(t *testing.T) {
	if got := ownAliases([]string{"web", idA[:12], "web", "abcdefabcdef"}, idA); strings.Join(got, " ") != "web abcdefabcdef" {
		t.Errorf("%q", got)
	}
}

// TestExecutable has a copy of this test program replace its own file while it runs.
func TestExecutable(t *testing.T) {
	const marker = "GAMEDAY_TEST_REPLACE"
	if path := os.Getenv(marker); path != "" {
		before, err := Executable()
		if err != nil || before != path {
			t.Fatalf("%q, %v", before, err)
		}
		running, err := os.Stat("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+".new", []byte("another"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		after, err := Executable()
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(after); err != nil || !os.SameFile(info, running) {
			t.Errorf("%q is not the program that runs: %v", after, err)
		}
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "copy")
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-test.run=^TestExecutable$")
	cmd.Env = append(os.Environ(), marker+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Times that an image leaves out are the engine's own, and a check that was switched off is none.
func TestHealthCheckDefaults(t *testing.T) {
	h := health(&container.HealthConfig{Test: []string{"CMD", "/up"}, Interval: 5 * time.Second})
	if h == nil || h.Interval != 5*time.Second || h.Timeout != 30*time.Second || h.Retries != 3 || strings.Join(h.Cmd, " ") != "/up" {
		t.Errorf("%+v", h)
	}
	for _, none := range []*container.HealthConfig{nil, {}, {Test: []string{"NONE"}, Interval: time.Second}} {
		if h := health(none); h != nil {
			t.Errorf("%+v is %+v", none, h)
		}
	}
}
