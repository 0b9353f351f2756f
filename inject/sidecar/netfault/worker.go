package netfault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// worker does to queued packets what an effect asks for, in user space. One thread waits for packets and for the time of the
// first one that it holds.
type worker struct {
	socket *queueSocket
	wake   int // an eventfd
	done   chan struct{}

	effect  Effect
	chooses bool // whether the share is drawn here, and not by the kernel's rules

	hit   atomic.Uint64 // packets that the effect was done to
	state atomic.Int32
	quiet atomic.Uint64 // how often it was seen, while releasing, that nothing has come and nothing is held

	mu  sync.Mutex
	err error
}

// The states of a worker.
const (
	working   = iota
	releasing // everything passes at once
	stopped
)

func newWorker(e Effect, chooses bool) (*worker, error) {
	mode := byte(copyMeta)
	if e.Kind == Corrupt {
		mode = copyPacket
	}
	q, err := bindQueue(0, mode)
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		q.close()
		return nil, os.NewSyscallError("eventfd", err)
	}
	w := &worker{socket: q, wake: wake, done: make(chan struct{}), effect: e, chooses: chooses}
	go w.run()
	return w, nil
}

// run is the worker's thread.
func (w *worker) run() {
	defer close(w.done)
	runtime.LockOSThread()                         // and the thread ends with the worker, with its timer's slack
	unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // else timers may be 50 µs late
	if err := w.loop(); err != nil {
		w.mu.Lock()
		w.err = err
		w.mu.Unlock()
		w.socket.close() // so that packets pass
	}
}

func (w *worker) loop() error {
	var (
		start  = time.Now()
		random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
		choose = chooser{share: w.effect.Percent / 100, correlation: w.effect.Correlation / 100}
		delays = spread{delay: w.effect.Delay, jitter: w.effect.Jitter, correlation: w.effect.Correlation / 100}
		hold   line
		last   uint32
		fds    = []unix.PollFd{{Fd: int32(w.socket.fd), Events: unix.POLLIN}, {Fd: int32(w.wake), Events: unix.POLLIN}}
		// With nothing held but what is delayed in order, one verdict does for all packets up to an id.
		inOrder = w.effect.Kind == Latency || !w.chooses
	)
	if w.effect.Kind == Reorder {
		delays = spread{delay: w.effect.Delay}
	}
	for {
		var timeout *unix.Timespec
		if due, ok := hold.next(); ok {
			t := unix.NsecToTimespec(max(int64(due-time.Since(start)), 0))
			timeout = &t
		}
		if _, err := unix.Ppoll(fds, timeout, nil); err != nil && err != unix.EINTR {
			return os.NewSyscallError("ppoll", err)
		}
		if fds[1].Revents != 0 {
			var b [8]byte
			unix.Read(w.wake, b[:])
		}
		state := w.state.Load()
		if state == stopped {
			return nil
		}

		now := time.Duration(-1)
		n, err := w.socket.receive(func(id uint32, payload []byte) {
			if now < 0 {
				now = time.Since(start)
			}
			last = id
			if state == releasing {
				return
			}
			if w.chooses && !choose.draw(random) {
				w.socket.judge(id, nfAccept, false, nil)
				return
			}
			switch w.effect.Kind {
			case Loss:
				w.socket.judge(id, nfDrop, false, nil)
				w.hit.Add(1)
			case Corrupt:
				flipBit(payload, random)
				w.socket.judge(id, nfAccept, false, payload)
				w.hit.Add(1)
			default:
				hold.push(id, now+delays.draw(random))
			}
		})
		if err != nil {
			return err
		}
		now = time.Since(start)
		if state == releasing {
			if n > 0 || hold.n > 0 {
				w.hit.Add(uint64(hold.n))
				w.socket.judge(last, nfAccept, true, nil) // what is held, then what has just come
				hold = line{}
			}
		}
		popped, id := 0, uint32(0)
		for {
			next, ok := hold.pop(now)
			if !ok {
				break
			}
			id = next
			popped++
			if !inOrder {
				w.socket.judge(id, nfAccept, false, nil)
			}
		}
		if popped > 0 {
			if inOrder {
				w.socket.judge(id, nfAccept, true, nil)
			}
			w.hit.Add(uint64(popped))
		}
		if err := w.socket.flush(); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
		if state == releasing && n == 0 {
			w.quiet.Add(1)
		}
	}
}

// release lets everything that is held pass, in order, and everything that still comes. It returns when the queue is empty. The
// rules that feed it must be gone: who is still on the way through them finds the queue, or no queue, and passes.
func (w *worker) release() error {
	w.set(releasing)
	const step, limit = time.Millisecond, 5 * time.Second
	time.Sleep(2 * step)
	before := w.quiet.Load()
	for begin := time.Now(); ; {
		w.set(releasing) // wakes it
		select {
		case <-w.done:
			return w.failure()
		case <-time.After(step):
		}
		if w.quiet.Load() != before {
			return nil
		}
		if time.Since(begin) > limit {
			return fmt.Errorf("the packet queue %d still fills, %v after its rules went", w.socket.number, limit)
		}
	}
}

// stop ends the thread and gives the queue up.
func (w *worker) stop() error {
	w.set(stopped)
	<-w.done
	err := w.failure()
	if err == nil {
		err = w.socket.close()
	}
	return errors.Join(err, os.NewSyscallError("close", unix.Close(w.wake)))
}

func (w *worker) set(state int32) {
	w.state.Store(state)
	unix.Write(w.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// failure is why the thread ended before its time.
func (w *worker) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return fmt.Errorf("the packet queue %d was given up: %w", w.socket.number, w.err)
	}
	return nil
}
