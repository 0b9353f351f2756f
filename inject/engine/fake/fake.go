// Package fake is a Docker engine in memory, which passes the engine's conformance suite and misbehaves on demand.
//
// Its containers run the suite's workload program as far as its arguments go (see enginetest/workload); anything else
// sleeps and ends on SIGTERM.
package fake

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"gameday/inject/engine"
)

// Fake is an engine.Engine.
type Fake struct {
	mu         sync.Mutex
	info       engine.Info
	boxes      map[string]*box // by id
	networks   map[string]engine.NetworkInfo
	subnets    map[string][]netip.Prefix // by the network's id; none: the engine's choice
	images     map[string]*image         // by tag
	ports      int                       // the last that was published
	subs       map[*subscriber]struct{}
	remembered []engine.Event

	failures map[string]*failure
	delays   map[string]time.Duration
	hooks    map[string]func(id string)
	cut      chan struct{} // closed while disconnected
	quiet    bool          // no stream of Stats says anything
	news     *sync.Cond    // something that streams wait for has happened
}

type image struct {
	id  string
	img engine.Image
}

type failure struct {
	err   error
	times int
}

type subscriber struct{ out chan engine.Event }

var _ engine.Engine = (*Fake)(nil)

// New returns an engine without containers.
func New() *Fake {
	f := &Fake{
		info: engine.Info{
			ID: newID()[:12], Name: "fake", Version: "20.10.24", API: engine.MinAPI, Kernel: "6.1.0", OS: "Fake",
			Arch: runtime.GOARCH, Memory: 8 << 30, CgroupVersion: "2", CgroupDriver: "systemd",
			Endpoint: "unix:///fake.sock", SocketPath: "/fake.sock", Local: true,
		},
		boxes: map[string]*box{}, networks: map[string]engine.NetworkInfo{}, subnets: map[string][]netip.Prefix{}, images: map[string]*image{}, ports: 32767,
		subs: map[*subscriber]struct{}{}, failures: map[string]*failure{}, delays: map[string]time.Duration{},
		hooks: map[string]func(string){}, cut: make(chan struct{}),
	}
	f.news = sync.NewCond(&f.mu)
	for _, name := range []string{"bridge", "host", "none"} {
		f.networks[name] = engine.NetworkInfo{ID: newID(), Name: name}
	}
	return f
}

func newID() string {
	b := make([]byte, 32)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// Fail makes the next calls of a method ("Pause") fail with err before they do anything; times below zero: all of them.
func (f *Fake) Fail(method string, err error, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures[method] = &failure{err, times}
}

// Delay makes all calls of a method take longer, before they do anything.
func (f *Fake) Delay(method string, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delays[method] = d
}

// Hook has a function called before a method does anything; it may use the engine. nil takes the hook away. The id is
// the method's first argument, "" if it has none.
func (f *Fake) Hook(method string, h func(id string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hooks[method] = h
}

// Disconnect breaks all streams and makes all calls fail with ErrUnreachable until Reconnect. The containers run on.
func (f *Fake) Disconnect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down() {
		return
	}
	close(f.cut)
	for _, b := range f.boxes { // their processes do not hear of it
		b.detach(unreachable())
	}
	f.news.Broadcast()
	for s := range f.subs {
		select {
		case s.out <- engine.Event{Time: time.Now().UTC(), Err: unreachable()}:
		default: // nobody reads: the closed channel has to do
		}
		f.drop(s)
	}
}

// Reconnect ends a Disconnect.
func (f *Fake) Reconnect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down() {
		f.cut = make(chan struct{})
	}
}

// AddContainer adds a container as it is, with an id, a name and a state made up where they are missing: it runs, and its
// process sleeps. Its networks are made if there are none of these names.
func (f *Fake) AddContainer(c engine.Container) engine.Container {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.Networks = slices.Clone(c.Networks)
	c.ID = cmp.Or(c.ID, newID())
	c.Name = cmp.Or(c.Name, "container-"+c.ID[:min(6, len(c.ID))])
	c.RestartPolicy = cmp.Or(c.RestartPolicy, "no")
	c.NetworkMode = cmp.Or(c.NetworkMode, "bridge")
	c.ImageID = cmp.Or(c.ImageID, "sha256:"+newID())
	if c.Created.IsZero() {
		c.Created = time.Now().UTC()
	}
	if c.State.Status == "" {
		c.State.Status, c.State.Running, c.State.PID, c.State.StartedAt = "running", true, 1000+len(f.boxes), time.Now().UTC()
	}
	for i, e := range c.Networks {
		n, ok := f.networks[e.Network]
		if !ok {
			n = engine.NetworkInfo{ID: cmp.Or(e.NetworkID, newID()), Name: e.Network}
			f.networks[e.Network] = n
		}
		c.Networks[i].NetworkID = n.ID
	}
	b := &box{c: c, over: make(chan struct{})}
	if !c.State.Running {
		close(b.over)
	}
	f.boxes[c.ID] = b
	return f.view(b)
}

// Exit ends a container's main process as from a bug: its restart policy acts.
func (f *Fake) Exit(id string, code int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.find(id)
	if err != nil {
		return err
	}
	if !b.c.State.Running || b.c.State.Restarting {
		return fmt.Errorf("exit %s: %w: it does not run", id, engine.ErrConflict)
	}
	f.exit(b, code)
	return nil
}

// OOM has the kernel kill a container's main process for want of memory.
func (f *Fake) OOM(id string) error {
	f.mu.Lock()
	b, err := f.find(id)
	if err == nil {
		f.emit(b, "oom")
	}
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.Exit(id, 137)
}

func unreachable() error {
	return fmt.Errorf("%w: it was disconnected; is the daemon running?", engine.ErrUnreachable)
}

func (f *Fake) down() bool {
	select {
	case <-f.cut:
		return true
	default:
		return false
	}
}

// enter does what every method does first, and leaves f locked if it returns nil.
func (f *Fake) enter(ctx context.Context, method, id string) error {
	f.mu.Lock()
	hook, delay, cut := f.hooks[method], f.delays[method], f.cut
	f.mu.Unlock()
	if hook != nil {
		hook(id)
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-cut:
		case <-ctx.Done():
		}
	}
	what := strings.TrimSpace(method + " " + id)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	f.mu.Lock()
	if f.down() {
		f.mu.Unlock()
		return fmt.Errorf("%s: %w", what, unreachable())
	}
	if x := f.failures[method]; x != nil && x.times != 0 {
		x.times--
		f.mu.Unlock()
		return fmt.Errorf("%s: %w", what, x.err)
	}
	return nil
}

// find looks a container up by id, the start of an id, or name.
func (f *Fake) find(id string) (*box, error) {
	if b, ok := f.boxes[id]; ok {
		return b, nil
	}
	for _, b := range f.boxes {
		if b.c.Name == id || id != "" && strings.HasPrefix(b.c.ID, id) {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%w: No such container: %s", engine.ErrNotFound, id)
}

// enterBox enters a method on one container.
func (f *Fake) enterBox(ctx context.Context, method, id string) (*box, error) {
	if err := f.enter(ctx, method, id); err != nil {
		return nil, err
	}
	b, err := f.find(id)
	if err != nil {
		f.mu.Unlock()
		return nil, fmt.Errorf("%s: %w", strings.ToLower(method), err)
	}
	return b, nil
}

// Info describes the engine.
func (f *Fake) Info(ctx context.Context) (engine.Info, error) {
	if err := f.enter(ctx, "Info", ""); err != nil {
		return engine.Info{}, err
	}
	defer f.mu.Unlock()
	return f.info, nil
}

// Containers lists all containers.
func (f *Fake) Containers(ctx context.Context) ([]engine.Container, error) {
	if err := f.enter(ctx, "Containers", ""); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	var all []engine.Container
	for _, b := range f.boxes {
		all = append(all, f.view(b))
	}
	slices.SortFunc(all, func(a, b engine.Container) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Brief lists the containers that match.
func (f *Fake) Brief(ctx context.Context, want engine.Filter) ([]engine.Container, error) {
	if err := f.enter(ctx, "Brief", ""); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	var all []engine.Container
	for _, b := range f.boxes {
		v := f.view(b)
		label, has := v.Labels[want.Label]
		in := slices.ContainsFunc(v.Networks, func(e engine.Endpoint) bool { return e.NetworkID == want.Network })
		if want.Label != "" && (!has || want.Value != "" && label != want.Value) || want.Network != "" && !in {
			continue
		}
		all = append(all, engine.Container{
			ID: v.ID, Name: v.Name, Image: v.Image, ImageID: v.ImageID, Labels: v.Labels, Created: v.Created.Truncate(time.Second),
			State:       engine.State{Status: v.State.Status, Running: v.State.Running, Paused: v.State.Paused, Restarting: v.State.Restarting},
			NetworkMode: v.NetworkMode, Networks: v.Networks,
		})
	}
	slices.SortFunc(all, func(a, b engine.Container) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Container looks one up.
func (f *Fake) Container(ctx context.Context, id string) (engine.Container, error) {
	b, err := f.enterBox(ctx, "Container", id)
	if err != nil {
		return engine.Container{}, err
	}
	defer f.mu.Unlock()
	return f.view(b), nil
}

// view is a copy that shares nothing with the fake.
func (f *Fake) view(b *box) engine.Container {
	c := b.c
	c.Labels = maps.Clone(c.Labels)
	c.Ports = slices.Clone(c.Ports)
	c.Networks = slices.Clone(c.Networks)
	c.CapAdd, c.CapDrop, c.SecurityOpt = slices.Clone(c.CapAdd), slices.Clone(c.CapDrop), slices.Clone(c.SecurityOpt)
	c.Mounts = slices.Clone(c.Mounts)
	for i, n := range c.Networks {
		c.Networks[i] = own(n)
	}
	return c
}

// Events streams what happens.
func (f *Fake) Events(ctx context.Context, after time.Time) (<-chan engine.Event, time.Time, error) {
	if err := f.enter(ctx, "Events", ""); err != nil {
		return nil, time.Time{}, err
	}
	defer f.mu.Unlock()
	s := &subscriber{out: make(chan engine.Event, 4096)}
	for _, ev := range f.remembered {
		if !after.IsZero() && ev.Time.After(after) {
			s.out <- ev
		}
	}
	f.subs[s] = struct{}{}
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.drop(s)
	})
	return s.out, time.Now().UTC(), nil
}

func (f *Fake) drop(s *subscriber) {
	if _, ok := f.subs[s]; ok {
		delete(f.subs, s)
		close(s.out)
	}
}

// emit tells everybody who listens. A subscriber that does not read loses events, as with a real engine.
func (f *Fake) emit(b *box, action string, attributes ...string) {
	labels := map[string]string{"image": b.c.Image, "name": b.c.Name}
	maps.Copy(labels, b.c.Labels)
	for i := 0; i+1 < len(attributes); i += 2 {
		labels[attributes[i]] = attributes[i+1]
	}
	ev := engine.Event{Time: time.Now().UTC(), Action: action, ID: b.c.ID, Name: b.c.Name, Labels: labels}
	const most = 256 // as a real engine
	f.remembered = append(f.remembered[max(0, len(f.remembered)-most+1):], ev)
	for s := range f.subs {
		told := ev
		told.Labels = maps.Clone(labels)
		select {
		case s.out <- told:
		default:
		}
	}
}

// Logs returns what a container has written.
func (f *Fake) Logs(ctx context.Context, id string) ([]byte, error) {
	b, err := f.enterBox(ctx, "Logs", id)
	if err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	return slices.Clone(b.log), nil
}

// BuildImage keeps what the image says, and reads its files.
func (f *Fake) BuildImage(ctx context.Context, img engine.Image) (string, error) {
	if err := f.enter(ctx, "BuildImage", img.Tag); err != nil {
		return "", err
	}
	defer f.mu.Unlock()
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q %q %q %q\n", img.Entrypoint, img.Cmd, img.Env, img.WorkDir, img.Labels)
	files := slices.Clone(img.Files)
	slices.SortFunc(files, func(a, b engine.File) int { return strings.Compare(a.Path, b.Path) })
	for i, file := range files {
		if !strings.HasPrefix(file.Path, "/") || i > 0 && files[i-1].Path == file.Path {
			return "", fmt.Errorf("build image %s: file %s: its path is relative, or listed twice", img.Tag, file.Path)
		}
		fmt.Fprintf(sum, "%q %o %q %d\n", file.Path, file.Mode, file.Link, file.Size)
		if file.Open == nil {
			continue
		}
		r, err := file.Open()
		if err != nil {
			return "", fmt.Errorf("build image %s: file %s: %w", img.Tag, file.Path, err)
		}
		n, err := io.Copy(sum, r)
		r.Close()
		if err == nil && n != file.Size {
			err = fmt.Errorf("its size is not %d bytes as was said", file.Size)
		}
		if err != nil {
			return "", fmt.Errorf("build image %s: file %s: %w", img.Tag, file.Path, err)
		}
	}
	id := "sha256:" + hex.EncodeToString(sum.Sum(nil))
	f.images[img.Tag] = &image{id, img}
	return id, nil
}

// RemoveImage removes a tag.
func (f *Fake) RemoveImage(ctx context.Context, tag string) error {
	if err := f.enter(ctx, "RemoveImage", tag); err != nil {
		return err
	}
	defer f.mu.Unlock()
	for _, b := range f.boxes {
		if b.c.Image == tag {
			return fmt.Errorf("remove image %s: %w: container %s uses it", tag, engine.ErrConflict, b.c.Name)
		}
	}
	delete(f.images, tag)
	return nil
}

// HasImage says whether a tag is known.
func (f *Fake) HasImage(ctx context.Context, tag string) (bool, error) {
	if err := f.enter(ctx, "HasImage", tag); err != nil {
		return false, err
	}
	defer f.mu.Unlock()
	return f.images[tag] != nil, nil
}

// Close ends the event streams. The containers stay, for whoever holds the fake.
func (f *Fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.subs {
		f.drop(s)
	}
	return nil
}
