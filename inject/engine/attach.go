package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"
)

// lastWords is how much of a stream's stderr is kept, in bytes.
const lastWords = 4 << 10

// Attach connects to a container's stdin, stdout and stderr.
func (d *docker) Attach(ctx context.Context, id string) (Stream, error) {
	var s *stream
	err := d.call(ctx, callLimit, "attach to "+id, func(ctx context.Context) error {
		in, err := d.cli.ContainerInspect(ctx, id)
		if err != nil {
			return err
		}
		query := url.Values{"stream": {"1"}, "stdin": {"1"}, "stdout": {"1"}, "stderr": {"1"}}
		conn, r, err := d.hijack(ctx, "/containers/"+in.ID+"/attach", query, nil)
		if err != nil {
			return err
		}
		s = &stream{conn: conn, frames: frames{r: r, raw: in.Config != nil && in.Config.Tty}}
		s.frames.err = &s.err
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// hijack asks the engine to turn a connection into a stream. The reader holds what has come of it already. The client's own
// way to do so waits for the answer for ever, and throws away the engine's words if it refuses.
func (d *docker) hijack(ctx context.Context, call string, query url.Values, body any) (net.Conn, *bufio.Reader, error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return nil, nil, err
		}
	}
	var reader *bufio.Reader
	conn, err := d.exchange(ctx, http.MethodPost, call, query, payload, func(resp *http.Response, r *bufio.Reader) error {
		if resp.StatusCode != http.StatusSwitchingProtocols {
			return said(resp)
		}
		reader = r
		return nil
	})
	return conn, reader, err
}

// exchange makes a call on a connection of its own, for what the client cannot do, and returns the connection if the answer
// is accepted. The answer is given with the reader that it was read from.
func (d *docker) exchange(ctx context.Context, method, call string, query url.Values, body []byte,
	accept func(*http.Response, *bufio.Reader) error,
) (net.Conn, error) {
	host, err := client.ParseHostURL(d.cli.DaemonHost())
	if err != nil {
		return nil, err
	}
	at := url.URL{Scheme: "http", Host: client.DummyHost, Path: path.Join("/", host.Path, "v"+d.cli.ClientVersion(), call), RawQuery: query.Encode()}
	if host.Scheme != "unix" && host.Scheme != "npipe" {
		at.Host = host.Host
	}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPost {
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "tcp")
	}

	conn, err := d.cli.Dialer()(ctx)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok { // a stream may be silent for long
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 30 * time.Second})
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	err = func() error {
		if err := req.Write(conn); err != nil {
			return err
		}
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		return accept(resp, r)
	}()
	if !stop() { // the deadline is set, or is being set
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// said is the error that the engine answered with.
func said(resp *http.Response) error {
	var says struct{ Message string }
	text, err := io.ReadAll(io.LimitReader(resp.Body, lastWords))
	if err != nil {
		return err
	}
	if json.Unmarshal(text, &says) != nil || says.Message == "" {
		says.Message = strings.TrimSpace(resp.Status + " " + string(text))
	}
	switch resp.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("%w: %s", cerrdefs.ErrNotFound, says.Message)
	case http.StatusConflict:
		return fmt.Errorf("%w: %s", cerrdefs.ErrConflict, says.Message)
	}
	return errors.New(says.Message)
}

// A stream is an attached container.
type stream struct {
	conn   net.Conn
	read   sync.Mutex
	frames frames
	err    tail
}

func (s *stream) Read(p []byte) (int, error) {
	s.read.Lock()
	defer s.read.Unlock()
	return s.frames.Read(p)
}

func (s *stream) Write(p []byte) (int, error) { return s.conn.Write(p) }

// CloseWrite ends the container's stdin.
func (s *stream) CloseWrite() error {
	c, ok := s.conn.(interface{ CloseWrite() error })
	if !ok {
		return fmt.Errorf("a connection of type %T cannot be closed for writing alone", s.conn)
	}
	return c.CloseWrite()
}

func (s *stream) Close() error { return s.conn.Close() }

func (s *stream) Err() string { return s.err.String() }

// frames takes apart a stream in which stdout and stderr are mixed: each piece has a header of eight bytes, which starts
// with its origin and ends with its length.
type frames struct {
	r    *bufio.Reader
	raw  bool      // a terminal's stream, which has no frames
	err  io.Writer // where pieces of stderr go; nil: read with stdout
	left uint32    // of a piece of stdout
}

func (f *frames) Read(p []byte) (int, error) {
	if f.raw {
		return f.r.Read(p)
	}
	if len(p) == 0 {
		return 0, nil
	}
	for f.left == 0 {
		var header [8]byte
		if _, err := io.ReadFull(f.r, header[:]); err != nil {
			return 0, err
		}
		size := binary.BigEndian.Uint32(header[4:])
		switch header[0] {
		case 0, 1:
			f.left = size
		case 2:
			if f.err == nil {
				f.left = size
			} else if _, err := io.CopyN(f.err, f.r, int64(size)); err != nil {
				return 0, noEOF(err)
			}
		case 3:
			text, err := io.ReadAll(io.LimitReader(f.r, int64(min(size, lastWords))))
			if err != nil {
				return 0, err
			}
			return 0, fmt.Errorf("the stream ends: Docker says: %s", short(string(text)))
		default:
			return 0, fmt.Errorf("the stream is out of step: a piece starts with %#x", header[0])
		}
	}
	n, err := f.r.Read(p[:min(uint32(len(p)), f.left)])
	f.left -= uint32(n)
	return n, noEOF(err)
}

// noEOF makes an end in the middle of a piece no proper end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// A tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - lastWords; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
