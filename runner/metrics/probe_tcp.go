package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// mostAnswer is how much of an answer is looked at for what is expected in it, in bytes.
const mostAnswer = 1 << 20

// A TCPProbe connects, and fails if nobody listens, or if the answer is not the one expected.
type TCPProbe struct {
	Send   string // after connecting; "": nothing
	Expect string // text that the answer has to contain, in its first MiB; "": that a connection is made is enough
}

func (p TCPProbe) check() error { return nil }

func (p TCPProbe) ask(ctx context.Context, address string) ([]Sample, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })() // ends what waits
	if p.Send != "" {
		if _, err := io.WriteString(conn, p.Send); err != nil {
			return nil, err
		}
	}
	if p.Expect == "" {
		return nil, nil
	}
	if err = await(conn, []byte(p.Expect)); !answered(err) {
		return nil, err
	}
	return []Sample{{Name: "probe_failed_due_to_answer", Value: truth(err != nil)}}, err
}

// errUnexpected is that of an answer which is another than the expected one.
var errUnexpected = errors.New("it is not the expected one")

// await reads until the text was seen.
func await(r io.Reader, text []byte) error {
	var answer []byte
	buffer := make([]byte, 4<<10)
	for {
		n, err := r.Read(buffer)
		// What was looked at already is looked at again only as far as the text may begin in it.
		from := max(0, len(answer)-len(text)+1)
		answer = append(answer, buffer[:n]...)
		switch {
		case bytes.Contains(answer[from:], text):
			return nil
		case len(answer) > mostAnswer, errors.Is(err, io.EOF) && len(answer) > 0:
			return fmt.Errorf("the answer %q: %w", shorten(string(answer), 60), errUnexpected)
		case errors.Is(err, io.EOF):
			return errors.New("it closes the connection without an answer")
		case err != nil && len(answer) > 0:
			return fmt.Errorf("after the answer %q: %w", shorten(string(answer), 60), err)
		case err != nil:
			return err
		}
	}
}

// truth is a condition as a sample's value.
func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
