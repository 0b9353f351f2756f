package metrics

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// mostRedirects is how many redirects are followed.
const mostRedirects = 10

// An HTTPProbe asks for a page, on a connection of its own each time and through no proxy, and fails if there is no answer, or one
// with another status or body than expected.
//
// Redirects are followed, and the last answer counts, unless Status names a redirect: then the first answer is the one expected.
type HTTPProbe struct {
	URL    string // of a fixed place; "": http at the endpoint's address, with Path
	Path   string // "": "/"; it may have a query
	Method string // "": GET
	Status []int  // any of these; none: any from 200 to 299
	// BodyRegex must match somewhere in the first MiB of the body; nil: any body will do.
	BodyRegex *regexp.Regexp
}

func (p HTTPProbe) check() error {
	if p.URL != "" {
		u, err := url.Parse(p.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return errors.New("its url is none: write one like http://localhost:8080/healthz")
		}
	}
	if p.Path != "" && !strings.HasPrefix(p.Path, "/") {
		return fmt.Errorf("its path %q does not begin with a slash: write /%s", p.Path, p.Path)
	}
	_, err := http.NewRequest(p.Method, "http://localhost"+p.Path, nil)
	return err
}

func (p HTTPProbe) ask(ctx context.Context, address string) ([]Sample, error) {
	at := p.URL
	if at == "" {
		at = "http://" + address + p.Path
	}
	phases := newPhases()
	hops := 0
	transport := &http.Transport{
		DisableKeepAlives:  true, // each time anew: whether it can be connected to is half of the question
		DisableCompression: true,
		Proxy:              nil,
		DialContext:        (&net.Dialer{}).DialContext,
		TLSClientConfig:    &tls.Config{MinVersion: tls.VersionTLS12},
	}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: traced{transport, phases}, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if slices.ContainsFunc(p.Status, func(s int) bool { return s >= 300 && s < 400 }) {
			return http.ErrUseLastResponse
		}
		if hops = len(via); hops > mostRedirects {
			return fmt.Errorf("it redirects more than %d times", mostRedirects)
		}
		return nil
	}}
	status, secure, unexpected := 0, false, false
	err := func() error {
		req, err := http.NewRequestWithContext(ctx, p.Method, at, nil)
		if err != nil {
			return err
		}
		req.Header.Set("User-Agent", "gameday")
		resp, err := client.Do(req)
		if err != nil {
			var u *url.Error
			if errors.As(err, &u) {
				err = u.Err // without the address, which is known
			}
			return err
		}
		defer resp.Body.Close()
		status, secure = resp.StatusCode, resp.TLS != nil
		body, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
		if err != nil {
			return fmt.Errorf("its answer broke off: %w", err)
		}
		phases.leave("transfer")
		switch {
		case !p.expects(status):
			return fmt.Errorf("the status %d: %w", status, errUnexpected)
		case p.BodyRegex != nil && !p.BodyRegex.Match(body):
			unexpected = true
			return fmt.Errorf("the body %q: %w", shorten(strings.ToValidUTF8(string(body), "?"), 60), errUnexpected)
		}
		return nil
	}()
	samples := phases.samples(status != 0, ranOut(ctx, err))
	if status != 0 { // a status of 0 would be less than 500
		samples = append(samples, Sample{Name: "probe_http_status_code", Value: float64(status)},
			Sample{Name: "probe_http_redirects", Value: float64(hops)}, Sample{Name: "probe_http_ssl", Value: truth(secure)})
	}
	if p.BodyRegex != nil && answered(err) {
		samples = append(samples, Sample{Name: "probe_failed_due_to_regex", Value: truth(unexpected)})
	}
	return samples, err
}

func (p HTTPProbe) expects(status int) bool {
	if len(p.Status) == 0 {
		return status >= 200 && status < 300
	}
	return slices.Contains(p.Status, status)
}

// phaseNames are blackbox_exporter's, in the order of a request.
var phaseNames = []string{"resolve", "connect", "tls", "processing", "transfer"}

// phases are what a request spends its time with, those of its redirects added up.
type phases struct {
	mu    sync.Mutex           // the transport may still dial when its request has ended
	began map[string]time.Time // of those that go on
	took  map[string]time.Duration
}

func newPhases() *phases {
	return &phases{began: map[string]time.Time{}, took: map[string]time.Duration{}}
}

func (p *phases) enter(phase string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, twice := p.began[phase]; !twice { // of several addresses several are dialled at once
		p.began[phase] = time.Now()
	}
}

func (p *phases) leave(which ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, phase := range which {
		if began, ok := p.began[phase]; ok {
			p.took[phase] += time.Since(began)
			delete(p.began, phase)
		}
	}
}

// samples are the phases of an answer, where one that was not needed took no time; or those in which the time ran out: the last of
// them took at least as long. Of a question that failed otherwise there are none: nothing in it was quick.
func (p *phases) samples(answer, ranOut bool) (out []Sample) {
	if !answer && !ranOut {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, phase := range phaseNames {
		took, known := p.took[phase]
		began, open := p.began[phase]
		switch {
		case open && !ranOut:
			continue
		case open:
			took += time.Since(began)
		case !known && !answer:
			continue
		}
		out = append(out, Sample{Name: "probe_http_duration_seconds", Labels: map[string]string{"phase": phase}, Value: took.Seconds()})
	}
	return out
}

// traced is a transport that measures the phases of each request, that is of each redirect.
type traced struct {
	http.RoundTripper
	phases *phases
}

func (t traced) RoundTrip(req *http.Request) (*http.Response, error) {
	p := t.phases
	p.leave(phaseNames...) // the body of a redirect
	trace := &httptrace.ClientTrace{
		DNSStart:             func(httptrace.DNSStartInfo) { p.enter("resolve") },
		DNSDone:              func(httptrace.DNSDoneInfo) { p.leave("resolve") },
		ConnectStart:         func(string, string) { p.enter("connect") },
		ConnectDone:          func(string, string, error) { p.leave("connect") },
		TLSHandshakeStart:    func() { p.enter("tls") },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { p.leave("tls") },
		WroteRequest:         func(httptrace.WroteRequestInfo) { p.enter("processing") },
		GotFirstResponseByte: func() { p.leave("processing"); p.enter("transfer") },
	}
	return t.RoundTripper.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
}
