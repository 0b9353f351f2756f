package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gameday/inject/engine"
)

// privateLimit is how long a private daemon may take to answer, or to end.
const privateLimit = time.Minute

// A Private is a Docker daemon of a test's own, that can be stopped, killed and started again without disturbing anybody. It lives
// in network and mount namespaces of its own, with a containerd of its own that outlives it, keeps everything in a directory of
// its own and is ended with the test, and its containers with it. Its default network leads nowhere.
type Private struct {
	Host string // "unix:///tmp/gd-…/docker.sock"
	Dir  string

	t          testing.TB
	engine     engine.Engine
	holder     *exec.Cmd // keeps the namespaces
	args       []string  // of dockerd
	daemon     *process
	containerd *process
}

// A process is one that was started in the namespaces of a Private.
type process struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

// said is the end of what it wrote.
func (p *process) said() string {
	b, _ := os.ReadFile(p.log)
	return string(b[max(0, len(b)-4000):])
}

func (p *process) is() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// PrivateEngine starts one; args are further ones of dockerd ("--live-restore"). It takes root and a second or two.
func PrivateEngine(t testing.TB, args ...string) *Private {
	t.Helper()
	for _, tool := range []string{"dockerd", "containerd", "unshare", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("this test starts a Docker daemon of its own, and %s is missing: %v", tool, err)
		}
	}
	if os.Getuid() != 0 {
		t.Fatal("this test starts a Docker daemon of its own, and has to be run as root")
	}
	dir, err := os.MkdirTemp("", "gd-") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	p := &Private{t: t, Dir: dir, Host: "unix://" + filepath.Join(dir, "docker.sock")}
	t.Cleanup(p.clean)
	if p.engine, err = engine.Connect(engine.Options{Host: p.Host}); err != nil {
		t.Fatal(err)
	}
	// Without namespaces of its own a second daemon would take away the bridge of the first.
	p.holder = exec.Command("unshare", "--net", "--mount", "--propagation", "private", "--", "sleep", "infinity")
	p.holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.holder.Start(); err != nil {
		t.Fatal(err)
	}
	p.awaitHolder()
	// The machine's own configuration is for the machine's own daemon.
	none, socket := filepath.Join(dir, "none.toml"), filepath.Join(dir, "containerd.sock")
	config := filepath.Join(dir, "daemon.json")
	for path, text := range map[string]string{none: "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n", config: "{}\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.containerd = p.start("containerd", "--config", none, "--root", filepath.Join(dir, "containerd"), "--state", filepath.Join(dir, "state"), "--address", socket)
	p.args = append([]string{"--host", p.Host, "--config-file", config, "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--containerd", socket, "--storage-driver", "vfs", "--iptables=false", "--ip-forward=false", "--ip-masq=false",
		"--shutdown-timeout", "5"}, args...)
	p.Start()
	return p
}

// start starts a program in the namespaces.
func (p *Private) start(program string, args ...string) *process {
	p.t.Helper()
	ns := "/proc/" + strconv.Itoa(p.holder.Process.Pid) + "/ns/"
	x := &process{cmd: exec.Command("nsenter", append([]string{"--net=" + ns + "net", "--mount=" + ns + "mnt", "--", program}, args...)...),
		log: filepath.Join(p.Dir, program+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(x.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	x.cmd.Stdout, x.cmd.Stderr = log, log
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C at the test is not for it
	if err := x.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		_ = x.cmd.Wait()
		close(x.ended)
	}()
	return x
}

// awaitHolder waits until the namespaces are there: they are not those of the test.
func (p *Private) awaitHolder() {
	p.t.Helper()
	for end := time.Now().Add(privateLimit); ; time.Sleep(5 * time.Millisecond) {
		apart := true
		for _, ns := range []string{"net", "mnt"} {
			ours, err := os.Readlink("/proc/self/ns/" + ns)
			theirs, terr := os.Readlink("/proc/" + strconv.Itoa(p.holder.Process.Pid) + "/ns/" + ns)
			apart = apart && err == nil && terr == nil && ours != theirs
		}
		if apart {
			return
		}
		if time.Now().After(end) {
			p.t.Fatal("the namespaces for a private daemon are not made")
		}
	}
}

// Engine is a connection to the daemon. It outlives restarts.
func (p *Private) Engine() engine.Engine { return p.engine }

// Enter are the words before a command that bring it into the network of the daemon's containers: from elsewhere nobody reaches them.
func (p *Private) Enter() []string {
	return []string{"nsenter", "--net=/proc/" + strconv.Itoa(p.holder.Process.Pid) + "/ns/net", "--"}
}

// Docker runs a docker command on the daemon and returns what it prints.
func (p *Private) Docker(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+p.Host)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Start starts the daemon and waits until it answers.
func (p *Private) Start() {
	p.t.Helper()
	p.daemon = p.start("dockerd", p.args...)
	for end := time.Now().Add(privateLimit); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		_, err := p.engine.Info(ctx)
		cancel()
		if err == nil {
			return
		}
		if !p.daemon.is() || !p.containerd.is() {
			p.t.Fatalf("the private daemon has ended: %s\n%s", p.daemon.said(), p.containerd.said())
		}
		if time.Now().After(end) {
			p.t.Fatalf("the private daemon does not answer: %v\n%s", err, p.daemon.said())
		}
	}
}

// Stop ends the daemon as an upgrade does, and its containers with it unless it runs with --live-restore.
func (p *Private) Stop() { p.end(p.daemon, syscall.SIGTERM) }

// Kill kills the daemon. Its containers run on until it is started again.
func (p *Private) Kill() { p.end(p.daemon, syscall.SIGKILL) }

// Restart stops the daemon and starts it again.
func (p *Private) Restart() {
	p.t.Helper()
	p.Stop()
	p.Start()
}

func (p *Private) end(x *process, sig syscall.Signal) {
	p.t.Helper()
	if err := x.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-x.ended:
	case <-time.After(privateLimit):
		p.t.Fatalf("a private daemon does not end: %s", x.said())
	}
}

// clean removes every container, ends the daemon, and removes what it kept.
func (p *Private) clean() {
	if p.daemon != nil {
		if !p.daemon.is() {
			p.Start() // to clean up after itself
		}
		ctx := cleanup()
		all, err := p.engine.Containers(ctx)
		if err != nil {
			p.t.Error(err)
		}
		for _, c := range all {
			if err := p.engine.Remove(ctx, c.ID); err != nil {
				p.t.Error(err)
			}
		}
		p.Stop()
	}
	if p.containerd.is() {
		p.end(p.containerd, syscall.SIGTERM)
	}
	if p.engine != nil {
		p.engine.Close()
	}
	if p.holder != nil && p.holder.Process != nil {
		_ = p.holder.Process.Kill()
		_ = p.holder.Wait()
	}
	if left := p.left(); len(left) > 0 {
		p.t.Errorf("processes of the private daemon are left: %s", strings.Join(left, ", "))
	}
	if err := os.RemoveAll(p.Dir); err != nil {
		p.t.Error(err)
	}
}

// left names the processes that still speak of the daemon's directory.
func (p *Private) left() (out []string) {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out = out[:0]
		paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range paths {
			if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(p.Dir+"/")) {
				out = append(out, fmt.Sprintf("%s (%s)", filepath.Base(filepath.Dir(path)), strings.ReplaceAll(strings.TrimRight(string(b), "\x00"), "\x00", " ")))
			}
		}
		if len(out) == 0 || time.Now().After(end) {
			return out
		}
	}
}
