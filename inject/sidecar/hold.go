package sidecar

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// holdAddresses occupies the addresses of the container that it runs in, for a while, and answers nobody: it takes the interfaces down.
//
//	hold <seconds>
func holdAddresses(args []string, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintf(stderr, "hold: one argument is needed, <seconds>, not %d\n", len(args))
		return ExitUsage
	}
	seconds, err := strconv.Atoi(args[0])
	if err != nil || seconds < 1 {
		fmt.Fprintf(stderr, "hold: %q is no number of seconds\n", args[0])
		return ExitUsage
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, unix.SIGTERM, unix.SIGINT)
	if err := silence(); err != nil {
		fmt.Fprintln(stderr, "hold:", err)
		return ExitDenied
	}
	select {
	case <-end:
	case <-time.After(time.Duration(seconds) * time.Second):
	}
	return ExitDone
}

// silence takes all interfaces down but the loopback.
func silence() error {
	links, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("list the interfaces: %w", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	defer unix.Close(fd)
	for _, link := range links {
		if link.Flags&net.FlagLoopback != 0 {
			continue
		}
		req, err := unix.NewIfreq(link.Name)
		if err == nil {
			err = unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req)
		}
		if err == nil {
			req.SetUint16(req.Uint16() &^ unix.IFF_UP)
			err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
		}
		if err != nil {
			return fmt.Errorf("take %s down: %w", link.Name, err)
		}
	}
	return nil
}
