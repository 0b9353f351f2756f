package sidecar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A container's links must not lead to the host's files.
func TestWithin(t *testing.T) {
	dir := t.TempDir()
	root, outside := filepath.Join(dir, "root"), filepath.Join(dir, "outside")
	for _, d := range []string{filepath.Join(root, "data/sub"), outside, filepath.Join(root, outside)} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink(outside, filepath.Join(root, "absolute"))
	os.Symlink("../../../outside", filepath.Join(root, "data/up"))
	os.Symlink("/data", filepath.Join(root, "fine"))
	os.WriteFile(filepath.Join(root, "file"), nil, 0o644)
	inode := func(path string) uint64 {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		return st.Ino
	}
	for path, want := range map[string]string{"/data/sub": "data/sub", "data": "data", "/": ".", "/fine/sub": "data/sub", "/absolute": outside, "/../../data": "data"} {
		fd, err := within(root, path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Ino != inode(filepath.Join(root, want)) {
			t.Errorf("%s leads to something else than %s in the root: %v", path, want, err)
		}
		if st.Ino == inode(outside) {
			t.Errorf("%s leads out of the root", path)
		}
		unix.Close(fd)
	}
	for _, path := range []string{"/none", "/file", "/data/up"} {
		if fd, err := within(root, path); err == nil {
			t.Errorf("%s was opened", path)
			unix.Close(fd)
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestOutside(t *testing.T) {
	own := parseMounts(`30 1 0:50 / / rw - overlay overlay rw,lowerdir=l/A,upperdir=/var/lib/docker/overlay2/x/diff,workdir=/w
31 30 8:1 /var/lib/docker/volumes/v/_data /data rw - ext4 /dev/sda1 rw
32 30 0:60 / /mem rw - tmpfs tmpfs rw
33 30 8:9 /x /far rw - ext4 /dev/sdb rw
34 30 8:3 / /disk rw - xfs /dev/sdc rw
35 30 0:26 /shop /run/shop rw - tmpfs tmpfs rw
`)
	engine := parseMounts(`1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 8:3 / /srv/disk rw - xfs /dev/sdc rw
3 1 0:70 / /var/lib/docker/fuse-overlayfs/y/merged rw - fuse.fuse-overlayfs fuse-overlayfs rw
4 1 0:26 / /run rw - tmpfs tmpfs rw
`)
	always := func(string) bool { return true }
	for dir, want := range map[string][2]string{
		"/etc/x":   {"/var/lib/docker/overlay2/x/diff", "etc/x"},
		"/":        {"/var/lib/docker/overlay2/x/diff", ""},
		"/data":    {"/var/lib/docker/volumes/v/_data", ""},
		"/data/a":  {"/var/lib/docker/volumes/v/_data", "a"},
		"/mem/a":   {"", ""},
		"/far":     {"", ""},
		"/disk/db": {"/srv/disk", "db"},

		"/run/shop/a": {"/run/shop", "a"},
	} {
		base, below, itsOwn := outside(dir, own, engine, always)
		if base != want[0] || below != want[1] || itsOwn != (want[0] == "") {
			t.Errorf("%s is %q below %q, want %q; the container's own: %t", dir, below, base, want, itsOwn)
		}
	}
	fuse := parseMounts("30 1 0:70 / / rw - fuse.fuse-overlayfs fuse-overlayfs rw\n")
	if base, below, own := outside("/data/a", own, engine, func(string) bool { return false }); base != "" || own {
		t.Errorf("under another mount it is %q below %q; the container's own: %t", below, base, own)
	}
	if base, below, _ := outside("/tmp", fuse, engine, always); base != "/var/lib/docker/fuse-overlayfs/y/diff" || below != "tmp" {
		t.Errorf("with fuse-overlayfs it is %q below %q", below, base)
	}
}

// filler is a host whose container is this process, and so is its engine.
func filler(t *testing.T) *host {
	t.Helper()
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{id: id, pid: os.Getpid(), fd: fd, groups: &groups{id: id}, engine: os.Getpid(), proc: "/proc", sys: "/sys"}
	t.Cleanup(func() { h.close() })
	return h
}

func TestFillAndHeal(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root reaches the files of other processes")
	}
	h, dir := filler(t), t.TempDir()
	mine := filepath.Join(dir, "theirs")
	os.WriteFile(mine, []byte("x"), 0o600)
	raw, _ := json.Marshal(FillSpec{Path: dir, File: ".gameday-r-f", Size: 3 << 20})
	found, err := h.survey("fill", raw)
	if err != nil {
		t.Fatal(err)
	}
	e, err := h.prepare("f", "fill", found)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := e.look(); err != nil || k.InForce {
		t.Errorf("before it look returned %+v, %v", k, err)
	}
	if _, err := e.apply(); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, ".gameday-r-f"), &st); err != nil || st.Size != 3<<20 || st.Blocks*512 < st.Size {
		t.Errorf("the file has %d bytes in %d blocks, %v", st.Size, st.Blocks, err)
	}
	if k, err := e.look(); err != nil || !k.InForce || !strings.Contains(k.Seen, "takes 3MiB") || !strings.Contains(k.Seen, "before") {
		t.Errorf("look returned %+v, %v", k, err)
	}
	if _, err := h.survey("fill", raw); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("a second survey returned %v", err)
	}
	if _, err := e.apply(); !errors.Is(err, errUntouched) {
		t.Errorf("a second apply returned %v", err)
	}
	// Another helper, which knows the data alone, while the container does not run.
	stopped := &host{id: id, fd: -1, groups: &groups{}, engine: os.Getpid(), proc: "/proc"}
	if k, err := stopped.check("fill", found); err != nil || !k.InForce {
		t.Errorf("check from outside returned %+v, %v", k, err)
	}
	for range 2 {
		if err := stopped.heal("fill", found); err != nil {
			t.Fatal(err)
		}
	}
	if k, err := h.check("fill", found); err != nil || k.InForce {
		t.Errorf("after the heal check returned %+v, %v", k, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 || left[0].Name() != "theirs" {
		t.Errorf("the directory holds %v", left)
	}
	if err := e.undo(); err != nil {
		t.Error(err)
	}
}

// Where a file system cannot give blocks without content, content is written.
func TestFillWithContent(t *testing.T) {
	dir := t.TempDir()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	f, err := unix.Open(filepath.Join(dir, "f"), unix.O_CREAT|unix.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(f)
	e := &fill{spec: FillSpec{Path: dir, Bytes: 3<<20 + 100}, halt: make(chan struct{})}
	old := fallocate
	fallocate = func(int, uint32, int64, int64) error { return unix.EOPNOTSUPP }
	defer func() { fallocate = old }()
	if err := e.allocate(f, fd, false); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "f"))
	if err != nil || len(text) != 3<<20+100 {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	seen := map[string]bool{}
	for i := 0; i+4096 <= len(text); i += 4096 {
		if block := string(text[i : i+4096]); seen[block] || bytes.Count([]byte(block), []byte{0}) > 200 {
			t.Fatalf("the block at %d is empty, or there twice", i)
		} else {
			seen[block] = true
		}
	}
	close(e.halt)
	if err := e.allocate(f, fd, false); err == nil || !strings.Contains(err.Error(), "taken back") {
		t.Errorf("it was taken back, and allocate returned %v", err)
	}
}

func TestFillRefusals(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root reaches the files of other processes")
	}
	h, dir := filler(t), t.TempDir()
	for want, spec := range map[string]FillSpec{
		"there is no directory": {Path: dir + "/none", Size: 1},
		"do not fit":            {Path: dir, Size: 1 << 50},
		"in use already":        {Path: dir, Percent: 0.0001},
		"needs itself":          {Path: dir, Percent: 99.99},
		"read-only":             {Path: "/sys/kernel", Size: 1},
	} {
		if want == "read-only" && unix.Access("/sys/kernel", unix.W_OK) == nil {
			continue
		}
		spec.File = ".gameday-r-f"
		raw, _ := json.Marshal(spec)
		if _, err := h.survey("fill", raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error with %q", spec, err, want)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("a survey has made %v", left)
	}
}

// A container whose files cannot be reached from outside is not taken for one without the file.
func TestFillOutOfReach(t *testing.T) {
	h := &host{id: id, fd: -1, groups: &groups{}, engine: os.Getpid(), proc: "/proc"}
	for _, spec := range []FillSpec{{Path: "/x", File: "f", Bytes: 1}} {
		raw, _ := json.Marshal(spec)
		if err := h.heal("fill", raw); err == nil || !strings.Contains(err.Error(), "start the container") {
			t.Errorf("heal returned %v", err)
		}
		if k, err := h.check("fill", raw); err == nil {
			t.Errorf("check returned %+v", k)
		}
	}
	for _, spec := range []FillSpec{{Path: "/x", File: "f", Memory: true}, {Path: "/x", File: "f", Base: "/no/such/layer"}} {
		raw, _ := json.Marshal(spec)
		if err := h.heal("fill", raw); err != nil {
			t.Errorf("%+v: %v", spec, err)
		}
	}
}

func ExampleBytes() {
	fmt.Println(Bytes(64<<20), Bytes(1500))
	// Output: 64MiB 1.5KiB
}
