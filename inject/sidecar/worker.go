package sidecar

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A worker is a process of ours that joins a container's control group, and there burns or takes what belongs to the container.
// It is a child of the agent, which stays outside, and ends with it: the kernel kills it, and so does the end of its stdin.
//
//	host-worker <fault> cpu <n>        burns n cores
//	host-worker <fault> memory <bytes> takes memory, and keeps it
//	host-worker <fault> charge         takes as many bytes as each line of stdin says
//
// It begins when a line comes in, so that it is in the group by then.
const workerCommand = "host-worker"

// worker runs one.
func worker(args []string, in io.Reader, out, errs io.Writer) int {
	fail := func(code int, format string, a ...any) int {
		fmt.Fprintf(errs, workerCommand+": "+format+"\n", a...)
		return code
	}
	if len(args) < 2 {
		return fail(ExitUsage, "two arguments are needed, <fault> <what>, not %d", len(args))
	}
	n := int64(0)
	if len(args) == 3 {
		var err error
		if n, err = strconv.ParseInt(args[2], 10, 64); err != nil || n < 1 {
			return fail(ExitUsage, "%q is no number above 0", args[2])
		}
	}
	lines := bufio.NewScanner(in)
	switch what := args[1]; {
	case what == "charge":
		if err := charge(lines, out); err != nil {
			return fail(ExitDenied, "%v", err)
		}
		return ExitDone
	case n == 0:
		return fail(ExitUsage, "how much %s?", what)
	case what == "cpu":
		runtime.GOMAXPROCS(int(n) + 1)
		if lines.Scan() {
			for range n {
				go burn()
			}
		}
	case what == "memory":
		// When memory runs out it is the first to go, before anything of the target's.
		if err := os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0o644); err != nil {
			return fail(ExitDenied, "the kernel cannot be told to kill this process first: %v", err)
		}
		if lines.Scan() {
			mem, err := take(n, out)
			if err != nil {
				return fail(ExitDenied, "%v", err)
			}
			defer runtime.KeepAlive(mem)
		}
	default:
		return fail(ExitUsage, "there is no %q", what)
	}
	for lines.Scan() {
	}
	return ExitDone
}

func burn() {
	runtime.LockOSThread()
	for x := uint64(1); ; {
		for range 1 << 20 {
			x = x*6364136223846793005 + 1442695040888963407
		}
		runtime.KeepAlive(x)
	}
}

// takeStep is how much memory is taken between two lines that say how much it is.
const takeStep = 4 << 20

// take takes memory and touches every page of it. It prints how many bytes it has.
func take(n int64, out io.Writer) ([]byte, error) {
	page := int64(os.Getpagesize())
	n = (n + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("map %s of memory: %w", Bytes(n), err)
	}
	for at := int64(0); at < n; {
		end := min(at+takeStep, n)
		for ; at < end; at += page {
			// No two pages are the same, or the kernel could merge them.
			copy(mem[at:], strconv.AppendInt(nil, at|1, 36))
		}
		fmt.Fprintln(out, at)
	}
	return mem, nil
}

// charge takes memory that counts for its control group and hardly for itself: a file in memory. So the kernel's choice, when the
// group runs out, does not fall on this process for that.
func charge(lines *bufio.Scanner, out io.Writer) error {
	fd, err := unix.MemfdCreate("gameday", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make a file in memory: %w", err)
	}
	defer unix.Close(fd)
	buf, total := make([]byte, 64<<10), int64(0)
	for lines.Scan() {
		n, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			return err
		}
		for n > 0 {
			w, err := unix.Write(fd, buf[:min(n, int64(len(buf)))])
			if err != nil && !errors.Is(err, unix.ENOMEM) && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("write to a file in memory: %w", err)
			}
			if w <= 0 {
				break
			}
			n, total = n-int64(w), total+int64(w)
		}
		fmt.Fprintln(out, total)
	}
	return nil
}

// A child is a worker as its agent sees it.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	what string // "cpu", "memory", "charge"

	mu    sync.Mutex
	said  int64 // the number in its last line
	news  chan struct{}
	ended chan struct{}
	how   string // it ended
}

// startWorker starts a worker of a fault, which waits for its first line.
func startWorker(fault, what string, n int64) (*child, error) {
	args := []string{"sidecar", workerCommand, fault, what}
	if n > 0 {
		args = append(args, text(n))
	}
	c := &child{cmd: exec.Command("/proc/self/exe", args...), what: what, news: make(chan struct{}, 1), ended: make(chan struct{})}
	c.cmd.Args[0] = "/gameday"
	c.cmd.Env = append(os.Environ(), workerEnv...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs strings.Builder
	c.cmd.Stderr = &errs
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		c.in, err = c.cmd.StdinPipe()
	}
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if n, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				c.mu.Lock()
				c.said = n
				c.mu.Unlock()
				select {
				case c.news <- struct{}{}:
				default:
				}
			}
		}
		err := c.cmd.Wait()
		c.mu.Lock()
		c.how = "it ended"
		if text := strings.TrimSpace(errs.String()); text != "" {
			c.how = text
		} else if err != nil {
			c.how = err.Error()
		}
		c.mu.Unlock()
		close(c.ended)
	}()
	return c, nil
}

// workerEnv is added to the environment of workers.
var workerEnv = []string{"GOGC=off"}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) tell(line string) error {
	_, err := io.WriteString(c.in, line+"\n")
	return err
}

func (c *child) heard() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said
}

func (c *child) alive() (bool, string) {
	select {
	case <-c.ended:
		c.mu.Lock()
		defer c.mu.Unlock()
		return false, c.how
	default:
		return true, ""
	}
}

// end kills it, and returns once it is dead.
func (c *child) end() error {
	_ = c.cmd.Process.Kill() // it may have ended
	c.in.Close()
	select {
	case <-c.ended:
		return nil
	case <-time.After(5 * time.Second):
		return fmt.Errorf("worker %d does not die", c.pid())
	}
}

// join moves a process into the main process's control groups of some controllers.
func (g *groups) join(pid int, controllers ...string) error {
	joined := 0
	for _, c := range controllers {
		one, err := g.of(c)
		if err != nil {
			return err
		}
		if one.v2 && joined > 0 {
			continue // there is one group for all
		}
		if err := write(one.leaf, "cgroup.procs", text(int64(pid))); err != nil {
			return fmt.Errorf("join the container's control group for %s: %w", c, bare(err))
		}
		joined++
	}
	return nil
}

// workersIn lists the workers of a fault that are in the main process's control group, of whatever agent.
func (h *host) workersIn(s StressSpec) ([]int, error) {
	if len(s.controllers()) == 0 {
		return nil, nil
	}
	g, err := h.groups.of(s.controllers()[0])
	if err != nil {
		return nil, err
	}
	procs, err := g.leaf.ReadFile("cgroup.procs")
	if err != nil {
		return nil, err
	}
	var out []int
	for _, f := range strings.Fields(string(procs)) {
		pid, err := strconv.Atoi(f)
		if err == nil && h.isWorker(pid, s.Fault) {
			out = append(out, pid)
		}
	}
	return out, nil
}

// isWorker says whether a process is a worker of a fault; of any, if fault is empty.
func (h *host) isWorker(pid int, fault string) bool {
	line, err := os.ReadFile(filepath.Join(h.proc, strconv.Itoa(pid), "cmdline"))
	args := strings.Split(string(line), "\x00")
	return err == nil && len(args) > 3 && slices.Equal(args[1:3], []string{"sidecar", workerCommand}) && (fault == "" || args[3] == fault)
}
