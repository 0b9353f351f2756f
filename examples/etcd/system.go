// Package etcd is a cluster that gameday's authors did not write, to rehearse failures on: three members of etcd, and a
// writer that puts keys all the time and tells how that goes.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gameday/examples/workload"
	"gameday/inject/engine"
)

// ClientPort is where members answer clients, and serve /metrics; WriterPort is where the writer serves its own.
const (
	ClientPort = 2379
	WriterPort = 8080
	peerPort   = 2380
)

// upTimeout bounds how long the cluster may take to have a leader and to take writes.
const upTimeout = 60 * time.Second

// memberNames are the names of the members, of their containers without the prefix, and their names in the network.
var memberNames = []string{"member-1", "member-2", "member-3"}

// Options say how to start a cluster.
type Options struct {
	Run     string   // value of the label "gameday"
	Prefix  string   // of all names, and the compose project; default "etcd"
	Image   string   // a tag on the engine that holds gameday's binary, for the writer
	Command []string // what runs the writer in that image; default /gameday etcd-writer
}

// A System is a running cluster with its writer.
type System struct {
	w      *workload.Workload
	engine engine.Engine
	image  string
}

// Up makes an image from the etcd that is installed here (see BinaryEnv) and starts containers <prefix>-member-1, -2, -3
// and <prefix>-writer in a network of their own. It returns when there is a leader and the writer writes, or removes what
// it made and says what is wrong. This machine must be able to reach the containers' addresses.
func Up(ctx context.Context, e engine.Engine, o Options) (*System, error) {
	if o.Image == "" || o.Run == "" {
		return nil, errors.New("etcd needs the id of a run and the tag of an image that holds gameday's binary")
	}
	if o.Prefix == "" {
		o.Prefix = "etcd"
	}
	if len(o.Command) == 0 {
		o.Command = []string{"/gameday", "etcd-writer"}
	}
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()

	s := &System{engine: e, image: "gameday-etcd:" + o.Run}
	labels := map[string]string{engine.Label: o.Run, engine.RoleLabel: engine.RoleWorkload}
	if err := buildImage(ctx, e, s.image, labels); err != nil {
		return nil, err
	}
	var err error
	s.w, err = workload.Up(ctx, e, workload.Options{Run: o.Run, Project: o.Prefix, Parts: parts(o, s.image)})
	if err != nil {
		return nil, errors.Join(err, s.removeImage(ctx))
	}
	if err := s.awaitLeader(ctx); err != nil {
		return nil, errors.Join(err, s.Down(ctx))
	}
	return s, nil
}

func parts(o Options, image string) []workload.Part {
	var cluster, clients []string
	for _, name := range memberNames {
		cluster = append(cluster, name+"="+url(name, peerPort))
		clients = append(clients, url(name, ClientPort))
	}
	var all []workload.Part
	for _, name := range memberNames {
		all = append(all, workload.Part{
			Service: "member",
			Name:    name,
			Spec: engine.Spec{
				Image: image,
				Cmd: []string{
					"--name", name,
					"--data-dir", "/data",
					"--listen-peer-urls", url("0.0.0.0", peerPort),
					"--listen-client-urls", url("0.0.0.0", ClientPort),
					"--initial-advertise-peer-urls", url(name, peerPort),
					"--advertise-client-urls", url(name, ClientPort),
					"--initial-cluster", strings.Join(cluster, ","),
					"--initial-cluster-token", o.Run,
					"--initial-cluster-state", "new",
					"--heartbeat-interval", "100",
					"--election-timeout", "1000",
				},
				RestartPolicy: "always",
			},
		})
	}
	return append(all, workload.Part{
		Service: "writer",
		Name:    "writer",
		Spec: engine.Spec{
			Image:         o.Image,
			Entrypoint:    o.Command,
			Cmd:           clients,
			Env:           []string{"GOMAXPROCS=1"},
			RestartPolicy: "always",
		},
	})
}

func url(host string, port int) string { return "http://" + host + ":" + strconv.Itoa(port) }

// awaitLeader waits until all members see a leader, and the writer has written.
func (s *System) awaitLeader(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster did not become ready: %w: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

func (s *System) ready(ctx context.Context) error {
	for _, name := range memberNames {
		has, err := s.value(ctx, name, ClientPort, "etcd_server_has_leader")
		if err != nil {
			return err
		}
		if has != "1" {
			return fmt.Errorf("%s sees no leader", s.w.ContainerName(name))
		}
	}
	at, err := s.value(ctx, "writer", WriterPort, lastSuccess)
	if err != nil {
		return err
	}
	if at == "0" {
		return fmt.Errorf("%s has not written yet", s.w.ContainerName("writer"))
	}
	_, err = s.Leader(ctx)
	return err
}

// Leader returns the name of the container that leads the cluster now. Members that do not answer are passed over: they may
// be frozen. It is an error if nobody who answers leads.
func (s *System) Leader(ctx context.Context) (string, error) {
	var silent []error
	for _, name := range memberNames {
		leads, err := s.value(ctx, name, ClientPort, "etcd_server_is_leader")
		if err != nil {
			silent = append(silent, err)
			continue
		}
		if leads == "1" {
			return s.w.ContainerName(name), nil
		}
	}
	return "", errors.Join(append([]error{errors.New("no member that answers leads the cluster")}, silent...)...)
}

// value asks a part for one of its metrics. Series with labels are found by their whole name.
func (s *System) value(ctx context.Context, part string, port int, series string) (string, error) {
	address, err := s.w.Address(ctx, part)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url(address, port)+"/metrics", nil)
	if err != nil {
		return "", err
	}
	// No connection is kept: the container may be frozen by the time of the next question.
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("%s does not answer: %w", s.w.ContainerName(part), err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return "", fmt.Errorf("%s does not answer: %w", s.w.ContainerName(part), err)
	}
	for line := range strings.Lines(string(page)) {
		if v, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(v), nil
		}
	}
	return "", fmt.Errorf("%s has no metric %s", s.w.ContainerName(part), series)
}

// Logs returns what the containers of a service wrote: "member" or "writer".
func (s *System) Logs(ctx context.Context, service string) ([]byte, error) {
	return s.w.Logs(ctx, service)
}

// Down removes the containers, the network and the image, also when ctx has ended, within its own limits. It may be called
// twice.
func (s *System) Down(ctx context.Context) error {
	return errors.Join(s.w.Down(ctx), s.removeImage(ctx))
}

func (s *System) removeImage(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := s.engine.RemoveImage(ctx, s.image); err != nil {
		return fmt.Errorf("cannot remove image %s: %w", s.image, err)
	}
	return nil
}
