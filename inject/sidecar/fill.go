package sidecar

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A FillSpec is a fault that fills a directory of a container with one file.
type FillSpec struct {
	Path    string  `json:"path"`              // the directory, in the container
	File    string  `json:"file"`              // the file's name
	Size    int64   `json:"size,omitempty"`    // bytes; or else
	Percent float64 `json:"percent,omitempty"` // of the file system that are to be in use
	// Bytes, of a survey, is how large the file gets.
	Bytes int64 `json:"bytes,omitempty"`
	// Base and Below, of a survey, are where the engine's host has the directory, so that the file can be removed while the
	// container does not run: a directory, and the path below it. Empty: nowhere, and the file goes with the container's stop, if
	// Memory, or can be reached only while it runs.
	Base   string `json:"base,omitempty"`
	Below  string `json:"below,omitempty"`
	Memory bool   `json:"memory,omitempty"` // the file system is in memory, and the container's own
}

var fillKind = hostKind{
	prepare: with(func(h *host, _ string, s FillSpec) (effect, error) { return h.prepareFill(s) }),
	survey:  with(func(h *host, _ string, s FillSpec) (any, error) { return h.surveyFill(s) }),
	check:   with(func(h *host, _ string, s FillSpec) (Look, error) { return h.checkFill(s) }),
	heal:    withOnly(func(h *host, s FillSpec) error { return h.healFill(s) }),
}

// What is left free at least on a disk that is the engine's host's as well: a twentieth of it, and so many bytes.
const spareDisk = 1 << 30

// fillStep is how much is written before it is looked again at what is left.
const fillStep = 256 << 20

// tmpfsMagic is how the kernel calls a file system in memory.
const tmpfsMagic = 0x01021994

// space is what there is on a file system.
type space struct {
	total, used, free int64 // bytes; free is what an ordinary user can have
	memory, readOnly  bool
}

func spaceOf(fd int) (space, error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(fd, &s); err != nil {
		return space{}, err
	}
	block := int64(s.Bsize)
	sp := space{used: int64(s.Blocks-s.Bfree) * block, free: int64(s.Bavail) * block,
		memory: s.Type == tmpfsMagic, readOnly: s.Flags&unix.ST_RDONLY != 0}
	sp.total = sp.used + sp.free
	return sp, nil
}

func (s space) percent() string {
	if s.total == 0 {
		return "0%"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(s.used)/float64(s.total))
}

// within opens a directory below another, and follows no link out of it: a container's links must not lead to the host's files.
func within(root, dir string) (int, error) {
	base, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: root, Err: err}
	}
	defer unix.Close(base)
	fd, err := unix.Openat2(base, path.Clean("/" + dir)[1:]+"/.", &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	switch {
	case errors.Is(err, unix.ENOSYS):
		return -1, errors.New("the kernel cannot open a path within a directory (openat2): Linux 5.6 or newer is needed")
	case errors.Is(err, unix.EPERM):
		return -1, errors.New("the engine's seccomp profile does not let a helper open a path within a directory (openat2)")
	case err != nil:
		return -1, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return fd, nil
}

// inside opens a directory of the container while its main process lives.
func (h *host) inside(dir string) (int, error) {
	return within(fmt.Sprintf("%s/%d/root", h.proc, h.pid), dir)
}

// outer is the root directory of the engine's host.
func (h *host) outer() string { return fmt.Sprintf("%s/%d/root", h.proc, h.engine) }

func (h *host) surveyFill(s FillSpec) (FillSpec, error) {
	fd, err := h.inside(s.Path)
	if err != nil {
		return s, h.unreachable(s.Path, err)
	}
	defer unix.Close(fd)
	sp, err := spaceOf(fd)
	if err != nil {
		return s, err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(fd, s.File, &st, unix.AT_SYMLINK_NOFOLLOW); !errors.Is(err, unix.ENOENT) {
		return s, fmt.Errorf("%s in %s is there already (%v)", s.File, s.Path, err)
	}
	if sp.readOnly {
		return s, fmt.Errorf("%s is mounted read-only in the container: choose a path on a volume that it writes to", s.Path)
	}
	if s.Bytes = s.Size; s.Size == 0 {
		if s.Bytes = int64(math.Ceil(s.Percent/100*float64(sp.total))) - sp.used; s.Bytes <= 0 {
			return s, fmt.Errorf("%s of the file system of %s are in use already", sp.percent(), s.Path)
		}
	}
	if s.Bytes > sp.free {
		return s, fmt.Errorf("the file system of %s has %s free: %s do not fit", s.Path, Bytes(sp.free), Bytes(s.Bytes))
	}
	shared, err := h.shared(fd, sp)
	if err != nil {
		return s, err
	}
	if sp.memory {
		err = h.spare(s.Bytes)
	}
	if keep := sp.spare(); err == nil && shared && sp.free-s.Bytes < keep {
		err = fmt.Errorf("%s is on a file system that the engine's host needs itself: of its %s free, %s are left to it, so that %s are too much; ask for less, or choose a volume on a disk of its own",
			s.Path, Bytes(sp.free), Bytes(keep), Bytes(s.Bytes))
	}
	if err != nil {
		return s, err
	}
	var own bool
	s.Base, s.Below, own = h.outside(fd)
	s.Memory = sp.memory && own
	return s, nil
}

// spare is what is left free on a disk that others need.
func (s space) spare() int64 { return max(s.total/20, spareDisk) }

func (h *host) unreachable(dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("there is no directory %s in the container", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the files of the container cannot be reached from a helper: a security module or a user namespace stands between (%w)", err)
	}
	return err
}

// needed are directories that an engine's host cannot do without: a file system that one of them is on is never filled up.
var needed = []string{"/", "/boot", "/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/var", "/var/lib", "/var/lib/docker", "/var/lib/containerd", "/var/log", "/var/tmp"}

// shared says whether others than the container need the file system that a directory is on. It does so unless it is sure that
// nobody does.
func (h *host) shared(fd int, sp space) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, err
	}
	dev := deviceName(st.Dev)
	if strings.HasPrefix(dev, "0:") && !sp.memory {
		return true, nil // the container's own layer, or a file system whose disk the kernel does not tell
	}
	own, engine, err := h.mounts()
	if err != nil {
		return false, err
	}
	isNeeded := slices.ContainsFunc(engine, func(m mount) bool { return m.dev == dev && slices.Contains(needed, m.point) })
	if sp.memory {
		return isNeeded, nil
	}
	root, ok := covering(own, "/")
	if !ok || root.dev == dev {
		return true, nil
	}
	if under, ok := covering(engine, option(root.options, "upperdir")); ok && under.dev == dev {
		return true, nil
	}
	return isNeeded, nil
}

func deviceName(dev uint64) string { return fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev)) }

// mounts are the container's, and those of the engine's host.
func (h *host) mounts() (own, engine []mount, err error) {
	a, err := h.procFile(h.pid, "mountinfo")
	if err != nil {
		return nil, nil, err
	}
	b, err := h.procFile(h.engine, "mountinfo")
	return parseMounts(a), parseMounts(b), err
}

// outside finds where the engine's host has a directory of the container: a base, and the path below it. Both are empty if that
// cannot be told. own says that it is on a file system of which the host knows nothing.
func (h *host) outside(fd int) (base, below string, own bool) {
	ours, engine, err := h.mounts()
	if err != nil {
		return "", "", false
	}
	dir, err := readlink(fd)
	if err != nil {
		return "", "", false
	}
	var want unix.Stat_t
	if err := unix.Fstat(fd, &want); err != nil {
		return "", "", false
	}
	base, below, own = outside(dir, ours, engine, func(path string) bool {
		there, err := within(h.outer(), path)
		if err != nil {
			return false
		}
		defer unix.Close(there)
		var st unix.Stat_t
		return unix.Fstat(there, &st) == nil && st.Dev == want.Dev && st.Ino == want.Ino
	})
	if base == "" {
		return "", "", own
	}
	there, err := within(h.outer(), base)
	if err != nil {
		return "", "", false
	}
	unix.Close(there)
	return base, below, own
}

func readlink(fd int) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd), buf)
	return string(buf[:max(n, 0)]), err
}

// outside is the method of that name without the kernel. same says whether a path of the host is the directory itself: something else may be mounted there.
func outside(dir string, ours, engine []mount, same func(path string) bool) (base, below string, own bool) {
	m, ok := covering(ours, dir)
	if !ok {
		return "", "", false
	}
	below = strings.TrimPrefix(strings.TrimPrefix(dir, m.point), "/")
	if upper := option(m.options, "upperdir"); m.fs == "overlay" && strings.HasPrefix(upper, "/") {
		return upper, below, false
	}
	own = true
	best := ""
	for _, e := range engine {
		if e.dev != m.dev {
			continue
		}
		own = false
		if layer, ok := strings.CutSuffix(e.point, "/merged"); ok && e.root == m.root {
			return layer + "/diff", below, false // the engine's own overlay, whatever its file system
		}
		if rest, ok := strings.CutPrefix(m.root+"/", strings.TrimSuffix(e.root, "/")+"/"); ok && best == "" && same(path.Join(e.point, rest, below)) {
			best = path.Join(e.point, rest)
		}
	}
	if best == "" {
		return "", "", own
	}
	return best, below, false
}

// reach opens the directory of a fault: in the container while it runs, or else where the host has it. Nowhere is no error:
// then there is no such file system any more.
func (h *host) reach(s FillSpec) (fd int, nowhere bool, err error) {
	if !h.over() {
		fd, err = h.inside(s.Path)
		if err == nil || !h.over() {
			return fd, err != nil && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)), err
		}
	}
	if s.Base == "" {
		if s.Memory {
			return -1, true, nil
		}
		return -1, false, fmt.Errorf("the container does not run, and %s cannot be reached from outside: the file %s is still there; start the container, then undo again", s.Path, s.File)
	}
	// A base that is gone was a container's layer, or a volume, that is gone.
	base, err := within(h.outer(), s.Base)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, true, nil
	}
	if err != nil {
		return -1, false, err
	}
	defer unix.Close(base)
	fd, err = within(fmt.Sprintf("/proc/self/fd/%d", base), s.Below)
	return fd, errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR), err
}

// fill is the fault.
type fill struct {
	h      *host
	spec   FillSpec
	before space
	once   sync.Once
	halt   chan struct{}
}

func (h *host) prepareFill(s FillSpec) (effect, error) {
	if s.File == "" || strings.Contains(s.File, "/") || s.Bytes <= 0 {
		return nil, errors.New("it was not looked up how large the file has to be")
	}
	fd, err := h.inside(s.Path)
	if err != nil {
		return nil, h.unreachable(s.Path, err)
	}
	defer unix.Close(fd)
	e := &fill{h: h, spec: s, halt: make(chan struct{})}
	e.before, err = spaceOf(fd)
	return e, err
}

func (e *fill) stop() { e.once.Do(func() { close(e.halt) }) }

func (e *fill) apply() (time.Time, error) {
	dir, err := e.h.inside(e.spec.Path)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", errUntouched, e.h.unreachable(e.spec.Path, err))
	}
	defer unix.Close(dir)
	sp, err := spaceOf(dir)
	if err == nil {
		e.before = sp
		var shared bool
		if shared, err = e.h.shared(dir, sp); err == nil {
			err = e.room(dir, e.spec.Bytes, shared)
		}
		if err == nil {
			return e.write(dir, shared)
		}
	}
	return time.Time{}, fmt.Errorf("%w: %w", errUntouched, err)
}

// room says in words why there is no room for so many bytes more.
func (e *fill) room(dir int, bytes int64, shared bool) error {
	sp, err := spaceOf(dir)
	switch {
	case err != nil:
		return err
	case bytes > sp.free:
		return fmt.Errorf("the file system of %s has only %s free now: somebody else fills it", e.spec.Path, Bytes(sp.free))
	case shared && sp.free-bytes < sp.spare():
		return fmt.Errorf("the disk of %s has only %s free now, and the engine's host needs it too: somebody else fills it", e.spec.Path, Bytes(sp.free))
	}
	return nil
}

// write makes the file. If that fails it is removed.
func (e *fill) write(dir int, shared bool) (time.Time, error) {
	f, err := unix.Openat(dir, e.spec.File, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: make the file %s in %s: %w", errUntouched, e.spec.File, e.spec.Path, err)
	}
	err = e.allocate(f, dir, shared)
	if cerr := unix.Close(f); err == nil {
		err = cerr
	}
	if err != nil {
		return time.Time{}, errors.Join(fmt.Errorf("fill %s: %w", e.spec.Path, err), e.h.healFill(e.spec))
	}
	return time.Now(), nil
}

// allocate gives the file its blocks. A file system that cannot do so without their content gets content that cannot be made
// smaller.
func (e *fill) allocate(f, dir int, shared bool) error {
	var noise []byte
	for at := int64(0); at < e.spec.Bytes; {
		n := min(fillStep, e.spec.Bytes-at)
		select {
		case <-e.halt:
			return errors.New("it was taken back before the file was complete")
		default:
		}
		if err := e.room(dir, n, shared); err != nil {
			return err
		}
		if noise == nil {
			err := retry(func() error { return fallocate(f, 0, at, n) })
			if err == nil {
				at += n
				continue
			}
			if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.ENOSYS) {
				return err
			}
			noise = make([]byte, 1<<20)
			var seed [32]byte
			rand.NewChaCha8(seed).Read(noise)
		}
		n = min(n, int64(len(noise)))
		for i := int64(0); i < n; i += 4096 {
			noise[i] += 1 + byte(i>>12) // no block like another
			noise[i+1] ^= byte(at >> 20)
		}
		w := 0
		err := retry(func() (err error) { w, err = unix.Pwrite(f, noise[:n], at); return err })
		if err != nil {
			return err
		}
		at += int64(w)
	}
	return nil
}

// fallocate is the kernel's, but for tests.
var fallocate = unix.Fallocate

func retry(do func() error) error {
	for {
		if err := do(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (e *fill) look() (Look, error) {
	k, sp, err := e.h.lookFill(e.spec)
	if err == nil && k.InForce {
		k.Seen += fmt.Sprintf(", %s of its file system are in use, and %s were before", sp.percent(), e.before.percent())
	}
	return k, err
}

func (e *fill) undo() error { return e.h.healFill(e.spec) }

func (h *host) checkFill(s FillSpec) (Look, error) {
	k, _, err := h.lookFill(s)
	return k, err
}

func (h *host) lookFill(s FillSpec) (Look, space, error) {
	k := Look{Means: "a file", Met: -1, Hit: -1, Why: "its file is not there"}
	dir, nowhere, err := h.reach(s)
	if nowhere {
		return k, space{}, nil
	}
	if err != nil {
		return k, space{}, err
	}
	defer unix.Close(dir)
	var st unix.Stat_t
	err = unix.Fstatat(dir, s.File, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return k, space{}, nil
	}
	var sp space
	if err == nil {
		sp, err = spaceOf(dir)
	}
	if err != nil {
		return k, sp, err
	}
	k.InForce, k.Why = true, ""
	k.Seen = fmt.Sprintf("%s in %s takes %s", s.File, s.Path, Bytes(st.Blocks*512))
	return k, sp, nil
}

// healFill removes the file, and nothing else.
func (h *host) healFill(s FillSpec) error {
	dir, nowhere, err := h.reach(s)
	if nowhere {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if err := unix.Unlinkat(dir, s.File, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove %s from %s: %w", s.File, s.Path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, s.File, &st, unix.AT_SYMLINK_NOFOLLOW); !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("%s in %s is still there after it was removed (%v)", s.File, s.Path, err)
	}
	return nil
}
