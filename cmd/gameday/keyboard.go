package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A keyboard gives each key as it is typed, instead of a line. Ctrl-C and the like stay signals: the terminal itself makes them, whatever becomes
// of this process's keys.
type keyboard struct {
	fd   int
	take func([]byte)

	mu     sync.Mutex
	before *unix.Termios // nil: the terminal is as it was
	done   chan struct{}
	wg     sync.WaitGroup
}

// keyPause is how long to wait for a key before the end and the terminal's state are looked at.
const keyPause = 100 * time.Millisecond

// newKeyboard begins to give what is typed to take. It is nil where keys cannot be read one by one.
func newKeyboard(f *os.File, take func([]byte)) *keyboard {
	k := &keyboard{fd: int(f.Fd()), take: take, done: make(chan struct{})}
	if _, err := unix.IoctlGetTermios(k.fd, unix.TCGETS); err != nil {
		return nil
	}
	// A process in the background that reads or sets the terminal would be stopped, in the middle of its faults.
	signal.Ignore(syscall.SIGTTIN, syscall.SIGTTOU)
	k.wg.Go(k.read)
	return k
}

// foreground says whether what is typed is for this process.
func (k *keyboard) foreground() bool {
	group, err := unix.IoctlGetInt(k.fd, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

func (k *keyboard) read() {
	b := make([]byte, 256)
	for {
		select {
		case <-k.done:
			return
		default:
		}
		if !k.foreground() || !k.set() {
			select {
			case <-k.done:
				return
			case <-time.After(keyPause):
			}
			continue
		}
		fds := []unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(keyPause/time.Millisecond))
		switch {
		case err == unix.EINTR || n == 0:
			continue
		case err != nil || fds[0].Revents&unix.POLLIN == 0:
			return
		}
		n, err = unix.Read(k.fd, b)
		if err == unix.EINTR || err == unix.EAGAIN || err == unix.EIO {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		k.take(b[:n])
	}
}

// set has the terminal give keys one by one and unseen. A shell that has had it in between may have set it back.
func (k *keyboard) set() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, err := unix.IoctlGetTermios(k.fd, unix.TCGETS)
	if err != nil {
		return false
	}
	select {
	case <-k.done:
		return false
	default:
	}
	if now.Lflag&(unix.ICANON|unix.ECHO) == 0 {
		return true
	}
	was := *now
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	if unix.IoctlSetTermios(k.fd, unix.TCSETS, now) != nil {
		return false
	}
	if k.before == nil {
		k.before = &was
	}
	return true
}

// restore leaves the terminal as it was. It may be called again and again, and on none.
func (k *keyboard) restore() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case <-k.done:
	default:
		close(k.done)
	}
	if k.before != nil && k.foreground() {
		_ = unix.IoctlSetTermios(k.fd, unix.TCSETS, k.before)
	}
	k.before = nil
}

// stop restores the terminal and reads nothing more.
func (k *keyboard) stop() {
	if k == nil {
		return
	}
	k.restore()
	k.wg.Wait()
}
