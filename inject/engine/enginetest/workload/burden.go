package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func burn() {
	for n := 0; ; n++ {
	}
}

var held []byte

// hold takes memory on top of what it holds.
func hold(text string) {
	more := make([]byte, size(text))
	for i := range more {
		more[i] = byte(i) | 1
	}
	held = append(held, more...)
}

// spool keeps a disk busy, and the caches with it.
func spool(path, text string) {
	all, piece := size(text), make([]byte, 64<<10)
	for {
		f, err := os.Create(path)
		fail(err)
		for n := int64(0); n < all; n += int64(len(piece)) {
			_, err = f.Write(piece)
			fail(err)
		}
		fail(f.Sync())
		fail(f.Close())
		time.Sleep(10 * time.Millisecond)
	}
}

// size reads "64MiB".
func size(text string) int64 {
	for unit, factor := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if n, ok := strings.CutSuffix(text, unit); ok {
			v, err := strconv.ParseInt(n, 10, 64)
			fail(err)
			return v * factor
		}
	}
	fail(fmt.Errorf("%q is no size", text))
	return 0
}

func catch(name string) {
	known := map[string]os.Signal{"HUP": syscall.SIGHUP, "WINCH": syscall.SIGWINCH, "TSTP": syscall.SIGTSTP}
	if known[name] == nil {
		fail(fmt.Errorf("there is no signal %q to catch", name))
	}
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, known[name])
	go func() {
		for s := range caught {
			fmt.Println("caught", s)
		}
	}()
}
