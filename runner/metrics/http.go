package metrics

import (
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"
	"strings"
)

// A redirectError is the refusal to go to another server.
type redirectError struct{ host string }

func (e *redirectError) Error() string { return "redirect to another server" }

// sameServer follows redirects that stay where the credentials belong: the transport adds them to every request, whoever
// it goes to.
func sameServer(next *http.Request, before []*http.Request) error {
	first := before[0]
	if next.URL.Host != first.URL.Host || next.URL.Scheme != first.URL.Scheme || next.URL.User != nil {
		return &redirectError{host: next.URL.Host}
	}
	if len(before) >= 5 || next.Method != first.Method {
		// The last answer is judged by its status.
		return http.ErrUseLastResponse
	}
	return nil
}

// header finds a header whatever its case.
func header(headers map[string]string, name string) (string, bool) {
	for key, value := range headers {
		if http.CanonicalHeaderKey(key) == name {
			return value, true
		}
	}
	return "", false
}

var headerName = regexp.MustCompile("^[0-9A-Za-z!#$%&'*+.^_`|~-]+$")

func validHeader(name, value string) bool {
	return headerName.MatchString(name) && !strings.ContainsFunc(value, func(r rune) bool { return (r < ' ' && r != '\t') || r == 0x7f })
}

// decodeBasic gives the parts of a basic credential in a header.
func decodeBasic(credential string) ([]string, error) {
	raw, err := base64.StdEncoding.DecodeString(credential)
	if err != nil {
		return nil, err
	}
	_, password, found := strings.Cut(string(raw), ":")
	if !found {
		return nil, errors.New("no colon")
	}
	return []string{string(raw), password}, nil
}

var (
	invisible = regexp.MustCompile(`(?is)<(script|style|head)\b.*?</(script|style|head)>`)
	tags      = regexp.MustCompile(`(?s)<[^>]*>`)
)

// plain is the beginning of a body in readable words: an HTML page without its markup, no control characters.
func plain(body string) string {
	text := strings.ToValidUTF8(body[:min(len(body), 4096)], "")
	text = tags.ReplaceAllString(invisible.ReplaceAllString(text, " "), " ")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, text)
	return shorten(text, 120)
}
