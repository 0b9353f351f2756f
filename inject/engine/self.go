package engine

import (
	"os"
	"regexp"
	"strings"
)

// Self returns the id of the container that the calling process runs in, or "" if it runs in none or that cannot be
// told. Where only the host name tells, the id is the short one of twelve digits.
//
// A process that shares another container's network sees that one's /etc/hostname: on cgroup v2, where the cgroup says
// nothing, the id is then that of the container whose network is shared.
func Self() string {
	read := func(path string) string {
		b, _ := os.ReadFile(path)
		return string(b)
	}
	if id := selfFromCgroup(read("/proc/self/cgroup")); id != "" {
		return id
	}
	if id := selfFromMountinfo(read("/proc/self/mountinfo")); id != "" {
		return id
	}
	_, docker := os.Stat("/.dockerenv")
	_, podman := os.Stat("/run/.containerenv")
	name, err := os.Hostname()
	if err != nil || docker != nil && podman != nil {
		return ""
	}
	return selfFromHostname(name)
}

var (
	// "docker-<id>.scope" with systemd's cgroup driver, "<id>" with cgroupfs.
	cgroupID = regexp.MustCompile(`^(?:(?:docker|libpod|crio|cri-containerd)-)?([0-9a-f]{64})(?:\.scope)?$`)
	mountID  = regexp.MustCompile(`/(?:containers|overlay-containers)/([0-9a-f]{64})/`)
	shortID  = regexp.MustCompile(`^[0-9a-f]{12}$`)
)

// selfFromCgroup reads /proc/self/cgroup. The innermost container counts, where one runs in another. On cgroup v2 the
// path is mostly "/", which says nothing.
func selfFromCgroup(text string) string {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		parts := strings.Split(fields[2], "/")
		for i := len(parts) - 1; i >= 0; i-- {
			name := parts[i]
			if j := strings.LastIndexByte(name, ':'); j >= 0 { // "<slice>:cri-containerd:<id>"
				name = name[j+1:]
			}
			if m := cgroupID.FindStringSubmatch(name); m != nil {
				return m[1]
			}
		}
	}
	return ""
}

// selfFromMountinfo reads /proc/self/mountinfo. Only the files that an engine puts into every container's /etc count: a
// container that has the engine's own directory mounted, and the host itself, see the mounts of others.
func selfFromMountinfo(text string) string {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		root, point := fields[3], fields[4]
		switch point {
		case "/etc/hostname", "/etc/hosts", "/etc/resolv.conf":
			if m := mountID.FindStringSubmatch(root + "/"); m != nil {
				return m[1]
			}
		}
	}
	return ""
}

// selfFromHostname takes a host name for an id if it looks like the short one that engines give by default.
func selfFromHostname(name string) string {
	if shortID.MatchString(name) {
		return name
	}
	return ""
}
