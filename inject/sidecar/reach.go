package sidecar

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"gameday/inject/sidecar/netfault"
)

// reach is what a helper does that acts on any container of the engine's host: it takes hold of the one that a request names,
// answers, and lets go. It holds no fault in force.
type reach struct{}

func (reach) prepare(string, string, json.RawMessage) (effect, error) {
	return nil, fmt.Errorf("this helper holds no faults")
}

func (reach) dump(string, json.RawMessage) ([]string, error) { return nil, nil }

func (reach) close() error { return nil }

// answer does a request for the container that it names. The pid 0 stands for one that does not run.
func (reach) answer(q Request) Reply {
	if !isID(q.Container) {
		return failed(Reply{Seq: q.Seq}, refuse(ExitUsage, "%q is no container id: 64 hexadecimal digits are needed", q.Container))
	}
	h, err := openHost(q.PID, q.Container)
	if err != nil {
		return failed(Reply{Seq: q.Seq}, err)
	}
	h.usual = q.Usual
	switch q.Op {
	case OpClean, OpList, OpFree:
		r := Reply{Seq: q.Seq}
		err := h.inNetwork(func() (err error) {
			r.Lines, r.InTheWay, err = spaceOnce(q.Op)
			return err
		})
		h.close()
		return failed(r, err)
	}
	a := &agent{role: h, held: map[string]*held{}}
	r := a.answer(q)
	if err := h.close(); r.Error == "" {
		return failed(r, err)
	}
	return r
}

// inNetwork does something in the network namespace of the container.
func (h *host) inNetwork(do func() error) error {
	if h.pid == 0 {
		return refuse(ExitNotThere, "container %.12s does not run, and has no network namespace", h.id)
	}
	space, err := os.Open(fmt.Sprintf("%s/%d/ns/net", h.proc, h.pid))
	if err != nil {
		return refuse(ExitDenied, "the network namespace of container %.12s cannot be opened: %v", h.id, err)
	}
	defer space.Close()
	if h.over() {
		return refuse(ExitNotThere, "process %d has ended already", h.pid)
	}
	done := make(chan error)
	go func() {
		// The thread stays in that namespace, and ends with this goroutine because it is never unlocked.
		runtime.LockOSThread()
		if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- refuse(ExitDenied, "the network namespace of container %.12s cannot be entered: %v", h.id, err)
			return
		}
		done <- do()
	}()
	return <-done
}

// spaceOnce looks into the network namespace that it is in: with OpFree what is in the way of queues, otherwise what is there, and
// with OpClean after what an agent that died has left was removed.
func spaceOnce(op string) (lines []string, inTheWay string, err error) {
	switch op {
	case OpFree:
		inTheWay, err = netfault.Occupied()
		return nil, inTheWay, err
	case OpClean:
		if _, err := netfault.Clean(); err != nil {
			return nil, "", err
		}
	}
	lines, err = netfault.Dump()
	return lines, "", err
}

// reachAgent serves every container of the engine's host.
func reachAgent(in io.Reader, out io.Writer) int {
	Slim()
	return serve(reach{}, in, out, Lease, stopped())
}
