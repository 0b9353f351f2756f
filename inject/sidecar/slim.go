package sidecar

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Slim keeps a helper that waits most of its life small. What its start has touched of a large binary is let go of a moment
// later: it stays in the page cache, where the kernel may take it back, and comes from there when it is needed again.
func Slim() {
	debug.SetGCPercent(20)
	time.AfterFunc(2*time.Second, func() {
		debug.FreeOSMemory()
		letGoOfBinary()
	})
}

// letGoOfBinary unmaps what of the running binary was read and not changed.
func letGoOfBinary() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// "00400000-00e3c000 r-xp 00000000 fe:00 1234  /gameday"
		fields := strings.Fields(lines.Text())
		if len(fields) != 6 || fields[5] != exe || !strings.HasPrefix(fields[1], "r") || fields[1][1] == 'w' {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		start, err := strconv.ParseUint(from, 16, 64)
		end, eerr := strconv.ParseUint(to, 16, 64)
		if err == nil && eerr == nil && end > start {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(start), uintptr(end-start), unix.MADV_DONTNEED)
		}
	}
}
