package sidecar

import (
	"strconv"
	"strings"
)

// A mount is one line of /proc/<pid>/mountinfo.
type mount struct {
	dev     string // "254:0"
	root    string // which directory of the file system is mounted
	point   string
	flags   string // of the mount: "rw,nosuid"
	fs      string // "ext4", "overlay", "fuse.sshfs"
	source  string // "/dev/vda1"
	options string // of the file system
}

// parseMounts reads /proc/<pid>/mountinfo.
func parseMounts(text string) []mount {
	var out []mount
	for line := range strings.Lines(text) {
		head, tail, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		f, t := strings.Fields(head), strings.Fields(tail)
		if !ok || len(f) < 6 || len(t) < 2 {
			continue
		}
		m := mount{dev: f[2], root: unescape(f[3]), point: unescape(f[4]), flags: f[5], fs: t[0], source: unescape(t[1])}
		if len(t) > 2 {
			m.options = t[2]
		}
		out = append(out, m)
	}
	return out
}

// unescape turns the kernel's octal for blanks in paths ("\040") into what it stands for.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// covering returns the mount that a path lies on: the last of those with the longest mount point that it is below.
func covering(mounts []mount, path string) (mount, bool) {
	best, found := mount{}, false
	for _, m := range mounts {
		if (m.point == "/" || path == m.point || strings.HasPrefix(path, m.point+"/")) && (!found || len(m.point) >= len(best.point)) {
			best, found = m, true
		}
	}
	return best, found
}
