package metrics

import (
	"encoding/base64"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A redactor takes credentials out of texts that others wrote: servers, proxies and libraries quote what they were sent.
type redactor struct {
	replacer *strings.Replacer
}

// shortestSecret is in bytes. A shorter text would match all over a sentence, and the sentence would be lost.
const shortestSecret = 3

// newRedactor replaces each secret by "[secret]" and each hidden text, such as an address, by what stands for it.
func newRedactor(secrets []string, hidden map[string]string) *redactor {
	with := map[string]string{}
	for text, instead := range hidden {
		if len(text) >= shortestSecret {
			with[text] = instead
		}
	}
	for _, secret := range secrets {
		for _, form := range []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:],
			base64.StdEncoding.EncodeToString([]byte(secret)), html.EscapeString(secret), strings.Trim(strconv.Quote(secret), `"`),
		} {
			if len(form) >= shortestSecret {
				with[form] = "[secret]"
			}
		}
	}
	// The replacer takes the first that matches at a place: a longer secret must come before one that it begins with.
	texts := make([]string, 0, len(with))
	for text := range with {
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	pairs := make([]string, 0, 2*len(texts))
	for _, text := range texts {
		pairs = append(pairs, text, with[text])
	}
	return &redactor{replacer: strings.NewReplacer(pairs...)}
}

func (r *redactor) text(s string) string {
	return r.replacer.Replace(s)
}

// A sourceError carries a text without credentials. It unwraps only to an error that has no text of its own to give away,
// such as context.Canceled.
type sourceError struct {
	text string
	is   error
}

func (e *sourceError) Error() string { return e.text }
func (e *sourceError) Unwrap() error { return e.is }
