// Workload is the program in the containers that tests make. Its arguments are done one after the other, and after the
// last it sleeps:
//
//	print TEXT    writes a line to stdout
//	printerr TEXT writes a line to stderr
//	wait 100ms    waits
//	exit 3        ends with an exit code
//	ignore        does not end on SIGTERM from here on
//	serve 8080    answers every HTTP request with "ok", from here on
//	echo          copies stdin to stdout until it ends
//	env NAME      writes the value of an environment variable
//	who           writes its user and group: "1000:1000"
//	where         writes its working directory
//	touch PATH    makes a file
//	unlink PATH   removes a file, if there is one
//	exists PATH   exits with 1 unless there is a file
//	leave         starts another process that sleeps, with the same output, and goes on
//	health        as a health check: exits with 0, or with 1 after a SIGUSR1 to the main process
//	chat          sends packets to the gateway all the time, which answers that nobody listens, from here on
//	call HOST:PORT sends packets to a host all the time, whose address it looks up each time, from here on
//	burn          uses as much of one core as it gets, from here on
//	hold 64MiB    takes memory, touches every page and keeps it
//	spool PATH 4MiB  writes a file of that size to the disk again and again, from here on
//	fork NAME 8MiB   starts another process of that name, which holds so much memory and sleeps, and goes on
//	catch HUP     writes "caught hangup" for each such signal, from here on
//	sleep         sleeps; nothing comes after it
//
// Called rm, it removes the files that it is given.
//
// On SIGTERM it exits with 0, on SIGUSR1 it becomes unhealthy or healthy again, on SIGUSR2 it exits with 70.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const sick = "/tmp/sick"

func main() {
	var ignore atomic.Bool
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
	go handle(signals, &ignore)

	if filepath.Base(os.Args[0]) == "rm" {
		for _, path := range os.Args[1:] {
			if err := os.Remove(path); !strings.HasPrefix(path, "-") && !errors.Is(err, os.ErrNotExist) {
				fail(err)
			}
		}
		return
	}
	args := os.Args[1:]
	next := func(what string) string {
		if len(args) == 0 {
			fail(fmt.Errorf("%s needs an argument", what))
		}
		arg := args[0]
		args = args[1:]
		return arg
	}
	for len(args) > 0 {
		switch what := next(""); what {
		case "print":
			fmt.Println(next(what))
		case "printerr":
			fmt.Fprintln(os.Stderr, next(what))
		case "wait":
			d, err := time.ParseDuration(next(what))
			fail(err)
			time.Sleep(d)
		case "exit":
			code, err := strconv.Atoi(next(what))
			fail(err)
			os.Exit(code)
		case "ignore":
			ignore.Store(true)
		case "serve":
			l, err := net.Listen("tcp", ":"+next(what))
			fail(err)
			go func() {
				fail(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })))
			}()
		case "echo":
			_, err := io.Copy(os.Stdout, os.Stdin)
			fail(err)
		case "touch":
			fail(os.WriteFile(next(what), nil, 0o600))
		case "unlink":
			if err := os.Remove(next(what)); !errors.Is(err, os.ErrNotExist) {
				fail(err)
			}
		case "exists":
			if _, err := os.Stat(next(what)); err != nil {
				os.Exit(1)
			}
		case "leave":
			behind := exec.Command("/proc/self/exe", "sleep")
			behind.Stdout, behind.Stderr = os.Stdout, os.Stderr
			fail(behind.Start())
		case "env":
			fmt.Println(os.Getenv(next(what)))
		case "who":
			fmt.Printf("%d:%d\n", os.Getuid(), os.Getgid())
		case "where":
			dir, err := os.Getwd()
			fail(err)
			fmt.Println(dir)
		case "health":
			if _, err := os.Stat(sick); err == nil {
				os.Exit(1)
			}
			return
		case "chat":
			go chat()
		case "call":
			go call(next(what))
		case "burn":
			go burn()
		case "hold":
			hold(next(what))
		case "spool":
			path := next(what)
			go spool(path, next(what))
		case "fork":
			name := next(what)
			other := exec.Command("/proc/self/exe", "hold", next(what), "sleep")
			other.Args[0], other.Stdout, other.Stderr = name, os.Stdout, os.Stderr
			fail(other.Start())
			go func() { _ = other.Wait() }() // however it ends
		case "catch":
			catch(next(what))
		case "sleep":
			args = nil
		default:
			fail(fmt.Errorf("there is no %q", what))
		}
	}
	select {}
}

// call sends a datagram some times a second, whether or not there is somebody to take it.
func call(address string) {
	for ; ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("udp", address); err == nil {
			fmt.Fprintln(c, "hello")
			c.Close()
		}
	}
}

// chat sends a datagram some times a second to the default gateway.
func chat() {
	table, err := os.ReadFile("/proc/net/route")
	fail(err)
	for _, line := range strings.Split(string(table), "\n") {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] != "00000000" {
			continue
		}
		n, err := strconv.ParseUint(f[2], 16, 32)
		fail(err)
		gateway := net.IPv4(byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
		c, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: gateway, Port: 9})
		fail(err)
		for range time.Tick(20 * time.Millisecond) {
			_, _ = c.Write([]byte("hello")) // refused, mostly: that is the answer
		}
	}
}

func handle(signals <-chan os.Signal, ignore *atomic.Bool) {
	for s := range signals {
		switch s {
		case syscall.SIGTERM:
			if !ignore.Load() {
				os.Exit(0)
			}
		case syscall.SIGUSR1:
			if err := os.Remove(sick); err != nil {
				fail(os.WriteFile(sick, nil, 0o600))
			}
		case syscall.SIGUSR2:
			os.Exit(70)
		}
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "workload:", err)
		os.Exit(64)
	}
}
