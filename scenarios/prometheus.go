package scenarios

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// shortestInterval is the least time between two samples.
const shortestInterval = 100 * time.Millisecond

// serverOnly is what the built-in engine has no use for.
var serverOnly = []string{"headers", "bearer_token", "timeout", "watch", "basic_auth", "tls", "alertmanager"}

var prometheusSchema = &hcl.BodySchema{
	Attributes: attributes("url", "headers", "bearer_token", "timeout", "watch", "interval", "rules", "evaluation_interval"),
	Blocks: []hcl.BlockHeaderSchema{
		{Type: "basic_auth"},
		{Type: "tls"},
		{Type: "alertmanager"},
		{Type: "scrape", LabelNames: []string{"job"}},
		{Type: "probe", LabelNames: []string{"kind", "job"}},
	},
}

var (
	basicAuthSchema = &hcl.BodySchema{Attributes: attributes("username", "password")}
	tlsSchema       = &hcl.BodySchema{Attributes: attributes("ca_file", "cert_file", "key_file", "server_name", "insecure_skip_verify")}
	scrapeSchema    = &hcl.BodySchema{Attributes: attributes("target", "port", "path", "scheme", "url", "interval")}
)

func (l *loader) readSources(blocks hcl.Blocks) {
	l.sources, l.brokenRules = map[string]*Source{}, map[string]bool{}
	seen := map[string]hcl.Range{}
	for _, hb := range blocks {
		b := l.open(hb, "", prometheusSchema)
		if !l.unique("prometheus", hb, b.path, seen) {
			continue
		}
		s := &Source{Name: hb.Labels[0], Range: toRange(hb.DefRange)}
		l.sources[s.Name] = s
		l.ws.Sources = append(l.ws.Sources, s)
		if b.has("url") {
			b.server(s)
		} else {
			b.embedded(s)
		}
	}
}

// misplaced reports what belongs to the other kind of source.
func (b *block) misplaced(names []string, summary, detail string) {
	for _, n := range names {
		if a := b.attrs[n]; a != nil {
			b.l.fail(a.NameRange, b.path, summary, fmt.Sprintf(detail, n))
		}
		for _, again := range b.blocks.OfType(n) {
			b.l.fail(again.DefRange, b.path, summary, fmt.Sprintf(detail, n))
		}
	}
}

// server reads a source with a url.
func (b *block) server(s *Source) {
	b.misplaced([]string{"interval", "scrape", "probe", "rules", "evaluation_interval"}, "Server does not scrape for gameday",
		"%q belongs to the built-in engine, but this block has a url, so it is a server that exists already. Leave one of them out, or write a second prometheus block.")
	b.connection(s)
	s.Alertmanager = b.alertmanager()
}

// connection reads where a server is, and how to log in there.
func (b *block) connection(s *Source) {
	s.Timeout = 10 * time.Second
	if text, marked, ok := b.strMarked("url", true); ok {
		s.URL, s.URLSecret = text, marked
		if problem := urlProblem(text, marked); problem != "" {
			b.failURL(problem)
		}
	}
	if d, ok := b.duration("timeout", time.Millisecond); ok {
		s.Timeout = d
	}
	s.Watch = b.watch()
	s.Headers = b.headers()
	s.BearerToken, _ = b.secret("bearer_token")
	if hb := b.single("basic_auth"); hb != nil {
		a := b.l.open(hb, b.path, basicAuthSchema)
		s.BasicAuth = &BasicAuth{}
		if a.need("username", "the name to log in with") {
			s.BasicAuth.Username, _ = a.credential("username")
		}
		if a.need("password", `the password, best as env("NAME")`) {
			s.BasicAuth.Password, _ = a.secret("password")
		}
		if b.has("bearer_token") {
			b.l.fail(hb.DefRange, b.path, "Two ways to log in", "There is a bearer_token as well. Leave one of them out.")
		}
	}
	if hb := b.single("tls"); hb != nil {
		t := b.l.open(hb, b.path, tlsSchema)
		s.TLS = &TLS{}
		s.TLS.CAFile, _ = t.credential("ca_file")
		s.TLS.CertFile, _ = t.credential("cert_file")
		s.TLS.KeyFile, _ = t.credential("key_file")
		s.TLS.ServerName, _ = t.credential("server_name")
		s.TLS.InsecureSkipVerify, _ = t.boolean("insecure_skip_verify")
		if t.has("cert_file") != t.has("key_file") {
			b.l.fail(hb.DefRange, t.path, "Half a certificate", "cert_file and key_file belong together. Give both, or neither.")
		}
	}
}

// credential reads a string that may come from env() but is no secret when it is written out.
func (b *block) credential(name string) (string, bool) {
	s, _, ok := b.strMarked(name, true)
	return s, ok
}

// watch reads the selector of the series of a server that are compared.
func (b *block) watch() string {
	text, ok := b.str("watch")
	switch {
	case !ok:
		return ""
	case strings.TrimSpace(text) == "":
		b.failAt("watch", "Invalid selector", `It is empty. Write a selector of series, like "{job=\"shop\"}", or leave it out.`)
	case b.l.options.CheckSelector != nil:
		if err := b.l.options.CheckSelector(text); err != nil {
			b.failAt("watch", "Invalid selector", fmt.Sprintf("%v\nCorrect the selector.", err))
		}
	}
	return text
}

// headers reads the headers of a server.
func (b *block) headers() map[string]string {
	a := b.attrs["headers"]
	if a == nil {
		return nil
	}
	b.l.secrets = append(b.l.secrets, a.Expr)
	headers, ok := b.strMap("headers", true)
	if !ok {
		return nil
	}
	for _, name := range sortedKeys(headers) {
		if name == "" || strings.ContainsAny(name, " \t\r\n:\"(),/;<=>?@[]{}\\") || !isASCII(name) {
			b.failAt("headers", "Invalid header", fmt.Sprintf("%s is no name of a header. Names are like X-Scope-OrgID.", b.asWritten("headers", name)))
		}
		if strings.ContainsAny(headers[name], "\r\n\x00") {
			b.failAt("headers", "Invalid header", fmt.Sprintf("The value of %s has a line break in it. Use trimspace() on it.", b.asWritten("headers", name)))
		}
		if strings.EqualFold(name, "Authorization") && (b.has("bearer_token") || len(b.blocks.OfType("basic_auth")) > 0) {
			b.failAt("headers", "Two ways to log in", "There is a bearer_token or basic_auth as well. Leave one of them out.")
		}
	}
	return headers
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// failURL reports a url. There may be a password in it, so it is not shown.
func (b *block) failURL(problem string) {
	b.l.secrets = append(b.l.secrets, b.attrs["url"].Expr)
	b.failAt("url", "Invalid url", problem)
}

// urlProblem says what is wrong with the address of a server. A secret one is not repeated.
func urlProblem(text string, secret bool) string {
	u, err := url.Parse(text)
	switch {
	case err != nil && secret:
		return "What came from env() is no url. Check the environment variable; a url is like http://localhost:9090."
	case err != nil:
		return "This is no url. Write it like http://localhost:9090."
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "A url starts with http:// or https:// and names a host, like http://localhost:9090."
	case u.User != nil && !secret:
		return "Credentials in a url end up in logs. Write a block basic_auth { … } with the password from env()."
	}
	return ""
}

// embedded reads a source without a url.
func (b *block) embedded(s *Source) {
	b.misplaced(serverOnly, "Only for a server", "%q belongs to a server, but this block has no url, so it is the built-in engine. Give it a url, or leave this out.")
	for _, n := range []string{"headers", "bearer_token"} {
		if a := b.attrs[n]; a != nil {
			b.l.secrets = append(b.l.secrets, a.Expr) // misplaced, but a secret all the same
		}
	}
	s.Interval = time.Second
	if d, ok := b.duration("interval", shortestInterval); ok {
		s.Interval = d
	}
	b.rules(s)
	seen := map[string]hcl.Range{}
	for _, hb := range b.blocks.OfType("scrape") {
		sb := b.l.open(hb, b.path, scrapeSchema)
		if job := hb.Labels[0]; sb.newJob(job, hb.LabelRanges[0], seen) {
			s.Scrapes = append(s.Scrapes, sb.scrape(job))
		}
	}
	b.probes(s, seen)
}

func (b *block) scrape(job string) Scrape {
	sc := Scrape{Job: job, Range: toRange(b.def), Path: "/metrics", Scheme: "http"}
	if d, ok := b.duration("interval", shortestInterval); ok {
		sc.Interval = d
	}
	switch {
	case b.has("target") && b.has("url"):
		b.l.fail(b.attrs["url"].NameRange, b.path, "Target and url", "Both say where the samples come from. Leave one of them out.")
		return sc
	case !b.has("target") && !b.has("url") && b.wrong != "":
		return sc
	case !b.has("target") && !b.has("url"):
		b.l.fail(b.missing, b.path, "Nothing to scrape", "Say where the samples come from: target = target.name with a port, or a url.")
		return sc
	case b.has("url"):
		for _, n := range []string{"port", "path", "scheme"} {
			if a := b.attrs[n]; a != nil {
				b.l.fail(a.NameRange, b.path, "Already in the url", fmt.Sprintf("The url says this already. Leave out %q.", n))
			}
		}
		if text, ok := b.str("url"); ok {
			sc.URL = text
			if problem := urlProblem(text, false); problem != "" {
				b.failURL(problem)
			}
		}
		return sc
	}
	if name, ok := b.reference("target", "target", sortedKeys(b.l.targets)); ok {
		sc.Target = b.l.targets[name]
	}
	if b.need("port", "the port in the container that answers with metrics") {
		sc.Port, _ = b.whole("port", 1, 65535)
	}
	if p, ok := b.str("path"); ok {
		sc.Path = p
		if !strings.HasPrefix(p, "/") {
			b.failAt("path", "Invalid path", `A path starts with a slash, like "/metrics".`)
		}
	}
	sc.Scheme = b.one("scheme", "http", "http", "https")
	return sc
}
