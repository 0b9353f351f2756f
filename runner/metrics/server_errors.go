package metrics

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// A refusal is an error whose text is complete.
type refusal struct {
	text string
	is   error // what is wrapped; nil: nothing that anybody asks for
}

func (r *refusal) Error() string { return r.text }

// A brokenAnswer ended before it was complete.
type brokenAnswer struct{ err error }

func (b *brokenAnswer) Error() string { return b.err.Error() }
func (b *brokenAnswer) Unwrap() error { return b.err }

// refused explains an answer with an error status.
func (s *Server) refused(response *http.Response, a answer, parseErr error, raw []byte) error {
	status := fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode))
	said := ""
	if parseErr == nil && a.Error != "" {
		said = ": " + s.foreign(a.Error, 300)
	} else if text := s.foreignBody(raw); text != "" {
		said = ": " + text
	}
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized && s.credential == "":
		return &refusal{text: fmt.Sprintf("%s wants credentials (%s): set bearer_token or basic_auth in the prometheus block", s.shown, status)}
	case code == http.StatusUnauthorized:
		return &refusal{text: fmt.Sprintf("%s did not accept the credentials (%s); used was %s", s.shown, status, s.credential)}
	case code == http.StatusForbidden:
		used := s.credential
		if used == "" {
			used = "no credential"
		}
		return &refusal{text: fmt.Sprintf("%s forbids the query (%s); used was %s%s", s.shown, status, used, said)}
	case parseErr == nil && (a.ErrorType == "bad_data" || a.ErrorType == "execution"):
		r := &refusal{text: fmt.Sprintf("the server refused the query%s", said)}
		if mismatched(a.Error) {
			r.is = errEvaluation
		}
		return r
	case parseErr == nil && a.ErrorType == "timeout":
		return &refusal{text: fmt.Sprintf("the server gave the query up because it took too long%s; make the query cheaper", said)}
	case code == http.StatusNotFound || code == http.StatusMethodNotAllowed:
		return &refusal{text: fmt.Sprintf("%s has no Prometheus API (%s): is the path in the url right? It is what precedes /api/v1", s.shown, status)}
	case code >= 300 && code < 400:
		return &refusal{text: fmt.Sprintf("%s redirects elsewhere (%s), and credentials do not follow: put the final address into url", s.shown, status)}
	}
	return &refusal{text: fmt.Sprintf("%s answered %s%s", s.shown, status, said)}
}

func (s *Server) notPrometheus(raw []byte) error {
	text := "this is not a Prometheus API"
	if found := s.foreignBody(raw); found != "" {
		text += fmt.Sprintf(" (it says %q)", found)
	}
	return &refusal{text: fmt.Sprintf("%s: %s: is the path in the url right? It is what precedes /api/v1", s.shown, text)}
}

// explain turns an error of the connection into words, with what to do. The context is the caller's, without our timeout.
func (s *Server) explain(ctx context.Context, err error) error {
	var (
		done     *refusal
		broken   *brokenAnswer
		timeout  interface{ Timeout() bool }
		urlErr   *url.Error
		redirect *redirectError
	)
	if errors.As(err, &done) {
		return s.errorf(done.is, "%s", done.text)
	}
	if errors.As(err, &urlErr) {
		// Its text has the whole URL in it.
		err = urlErr.Err
	}
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return s.errorf(context.Canceled, "the query was cancelled")
	case ctx.Err() != nil:
		return s.errorf(context.DeadlineExceeded, "%s did not answer in the time that was left for it", s.shown)
	case errors.As(err, &redirect):
		return s.errorf(nil, "%s redirects to another server, %s, and credentials do not follow: put the final address into url", s.shown, s.foreign(redirect.host, 100))
	case errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout()):
		return s.errorf(context.DeadlineExceeded, "%s did not answer within %s: raise timeout in the prometheus block, or make the query cheaper", s.shown, s.config.Timeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		return s.errorf(nil, "nothing listens at %s (connection refused): start the server, or correct url; without url the built-in engine is used", s.shown)
	}
	if text := tlsProblem(err); text != "" {
		return s.errorf(nil, "the certificate of %s is not accepted: %s (%s)", s.shown, text, s.detail(err))
	}
	var (
		dns     *net.DNSError
		record  tls.RecordHeaderError
		dialing *net.OpError
	)
	switch {
	case errors.As(err, &dns):
		return s.errorf(nil, "the host of %s is not known (%s): correct url", s.shown, s.detail(err))
	case errors.As(err, &record) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return s.errorf(nil, "%s does not speak TLS: begin url with http://", s.shown)
	case strings.Contains(err.Error(), "remote error: tls"):
		return s.errorf(nil, "%s refused the TLS connection (%s): does it want a client certificate? set cert and key in tls", s.shown, s.detail(err))
	case errors.As(err, &broken) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET):
		return s.errorf(nil, "%s broke the connection off in the middle of its answer (%s): has it been stopped or restarted?", s.shown, s.detail(err))
	case errors.As(err, &dialing) && dialing.Op == "dial":
		return s.errorf(nil, "%s cannot be reached (%s): correct url, or start the server", s.shown, s.detail(err))
	}
	return s.errorf(nil, "the query to %s failed: %s", s.shown, s.detail(err))
}

func tlsProblem(err error) string {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &authority):
		return "who signed it is not known here: set ca in tls to the file with the signer's certificate"
	case errors.As(err, &host):
		return "it is for another name: correct the host in url, or set server_name in tls"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired or is not valid yet: renew it, or correct this machine's clock"
	case errors.As(err, &invalid), errors.As(err, &verify):
		return "set ca in tls to the file with the signer's certificate, or renew it"
	}
	return ""
}

// errorf makes an error from our own words, and from others' that went through foreign.
func (s *Server) errorf(is error, format string, args ...any) error {
	return &sourceError{text: fmt.Sprintf(format, args...), is: is}
}

// foreign makes a text that somebody else wrote fit to be shown, in at most so many characters. It shortens last, or half a
// credential could be left over at the cut.
func (s *Server) foreign(text string, most int) string {
	return shorten(s.redact.text(text), most)
}

// foreignBody does the same for the body of an answer that is not Prometheus's.
func (s *Server) foreignBody(raw []byte) string {
	const enough = 64 << 10
	return plain(s.redact.text(string(raw[:min(len(raw), enough)])))
}

// detail is the text of a connection's error. With a hidden address only its innermost reason is left: the outer ones name
// addresses that the host's name was resolved to.
func (s *Server) detail(err error) string {
	if !s.config.HideURL {
		return s.foreign(err.Error(), 500)
	}
	var (
		dns   *net.DNSError
		errno syscall.Errno
	)
	switch {
	case errors.As(err, &dns):
		return dns.Err
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "unexpected EOF"
	}
	return "the details are hidden with the address"
}
