package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	promconfig "github.com/prometheus/common/config"
)

const (
	// defaultTimeout is how long one query may take where the scenario says nothing.
	defaultTimeout = 10 * time.Second
	// largestAnswer is in bytes. A query that returns more reads a whole system series by series.
	largestAnswer = 64 << 20
	// longestGet is in bytes: proxies and servers refuse longer URLs. Longer queries are posted.
	longestGet = 4 << 10
)

// A ServerConfig says where a Prometheus server is and how to reach it. The credentials never appear in an error or in Info.
type ServerConfig struct {
	Name string
	// URL is what precedes /api/v1. A user and password in it are used as basic authentication.
	URL string
	// HideURL keeps the address out of Info and errors, for a URL that came from a secret.
	HideURL bool
	Headers map[string]string

	BearerToken string
	Username    string
	Password    string

	// CAFile, CertFile and KeyFile name PEM files.
	CAFile, CertFile, KeyFile string
	// ServerName is the name that the certificate is checked against, where it is not the URL's.
	ServerName         string
	InsecureSkipVerify bool

	// Timeout bounds one query. 0 means 10 seconds.
	Timeout time.Duration
}

// A Server is a source with Prometheus's HTTP API: Prometheus itself, or what speaks like it (Thanos, Mimir, VictoriaMetrics).
type Server struct {
	config     ServerConfig
	base       *url.URL // with the path up to /api/v1, without user
	shown      string   // how errors call the server
	client     *http.Client
	redact     *redactor
	credential string // in words, for the error of a refused one
	maxAnswer  int64
	version    atomic.Value // string
	closed     atomic.Bool
	strict     atomic.Bool // it refuses parameters that it does not know
}

var _ Source = (*Server)(nil)

// NewServer checks the settings and reads the certificate files. It connects to nothing.
func NewServer(c ServerConfig) (*Server, error) {
	base, err := url.Parse(strings.TrimSpace(c.URL))
	if err != nil {
		// The parser's error quotes the whole URL.
		return nil, errors.New("the url of the Prometheus server cannot be read: write one like http://localhost:9090")
	}
	if (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, errors.New("the url of a Prometheus server begins with http:// or https:// and a host, like http://localhost:9090")
	}
	if c.Timeout < 0 {
		return nil, fmt.Errorf("the timeout %s is negative: write one like 10s", c.Timeout)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if base.User != nil && c.Username == "" && c.BearerToken == "" {
		c.Username = base.User.Username()
		c.Password, _ = base.User.Password()
	}
	s := &Server{config: c, maxAnswer: largestAnswer}
	s.redact = newRedactor(secretsOf(c, base), hiddenOf(c, base))
	base.User, base.Fragment, base.RawFragment = nil, "", ""
	s.base = base
	shown := *base
	shown.RawQuery = ""
	s.shown = shown.String()
	if c.HideURL {
		s.shown = "the Prometheus server"
	}

	authorization, custom := header(c.Headers, "Authorization")
	switch {
	case c.BearerToken != "" && (c.Username != "" || c.Password != ""):
		return nil, errors.New("a Prometheus server takes bearer_token or basic_auth, not both: remove one")
	case custom && (c.BearerToken != "" || c.Username != ""):
		return nil, errors.New("the header Authorization is set beside bearer_token or basic_auth: keep one of them")
	case c.BearerToken != "":
		s.credential = "bearer_token"
	case c.Username != "" || c.Password != "":
		s.credential = "basic_auth"
	case custom && len(strings.Fields(authorization)) < 2:
		s.credential = "the header Authorization, which has no value after its type: is the variable set that it comes from?"
	case custom:
		s.credential = "the header Authorization"
	}
	for name, value := range c.Headers {
		if !validHeader(name, value) {
			return nil, fmt.Errorf("the header %q of the Prometheus server is not valid: no spaces in the name, no line breaks in the value", shorten(name, 40))
		}
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return nil, errors.New("a client certificate needs both cert and key in tls")
	}

	httpConfig := promconfig.HTTPClientConfig{
		TLSConfig: promconfig.TLSConfig{
			CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile,
			ServerName: c.ServerName, InsecureSkipVerify: c.InsecureSkipVerify,
		},
		EnableHTTP2: true,
		ProxyConfig: promconfig.ProxyConfig{ProxyFromEnvironment: true},
	}
	if c.BearerToken != "" {
		httpConfig.Authorization = &promconfig.Authorization{Type: "Bearer", Credentials: promconfig.Secret(c.BearerToken)}
	}
	if c.Username != "" || c.Password != "" {
		httpConfig.BasicAuth = &promconfig.BasicAuth{Username: c.Username, Password: promconfig.Secret(c.Password)}
	}
	client, err := promconfig.NewClientFromConfig(httpConfig, "gameday", promconfig.WithUserAgent("gameday"))
	if err != nil {
		return nil, s.errorf(nil, "the tls settings (ca, cert, key) of the Prometheus server cannot be used: %s", s.foreign(err.Error(), 500))
	}
	client.CheckRedirect = sameServer
	s.client = client
	return s, nil
}

// secretsOf lists every text that must not leave.
func secretsOf(c ServerConfig, base *url.URL) []string {
	secrets := []string{c.BearerToken, c.Password}
	if c.Username != "" || c.Password != "" {
		secrets = append(secrets, c.Username+":"+c.Password)
	}
	if password, ok := base.User.Password(); ok {
		secrets = append(secrets, password, base.User.String())
	} else if base.User != nil {
		secrets = append(secrets, base.User.Username())
	}
	for _, values := range base.Query() {
		secrets = append(secrets, values...)
	}
	for _, value := range c.Headers {
		secrets = append(secrets, value)
	}
	if value, ok := header(c.Headers, "Authorization"); ok {
		_, credential, _ := strings.Cut(strings.TrimSpace(value), " ")
		secrets = append(secrets, credential)
		if parts, err := decodeBasic(credential); err == nil {
			secrets = append(secrets, parts...)
		}
	}
	return secrets
}

func hiddenOf(c ServerConfig, base *url.URL) map[string]string {
	if !c.HideURL {
		return nil
	}
	const instead = "[address]"
	return map[string]string{c.URL: instead, base.Host: instead, base.Hostname(): instead}
}

// Info describes the server. The version is known after Start.
func (s *Server) Info() Info {
	info := Info{Name: s.config.Name, Type: "server"}
	if !s.config.HideURL {
		info.URL = s.shown
	}
	info.Version, _ = s.version.Load().(string)
	return info
}

// Start asks whether the server is there and answers PromQL, and notes its version where it tells one.
func (s *Server) Start(ctx context.Context) error {
	if _, err := s.Query(ctx, "vector(1)", time.Now()); err != nil {
		return err
	}
	// Not every server that speaks the query API has this one.
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if a, err := s.get(ctx, "status/buildinfo", nil); err == nil {
		s.version.Store(s.foreign(a.Data.Version, 40))
	}
	return nil
}

// Query evaluates an instant query at the given time, once: who samples at a fixed rate has no use for a late second try.
func (s *Server) Query(ctx context.Context, query string, at time.Time) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, s.errorf(err, "the query was cancelled")
	}
	asked, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	a, err := s.get(asked, "query", url.Values{
		"query": {query},
		"time":  {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)},
	})
	if err != nil {
		return Result{}, s.explain(ctx, err)
	}
	result, err := a.result()
	if err != nil {
		return Result{}, s.errorf(nil, "%s", s.foreign(err.Error(), 500))
	}
	for i, warning := range result.Warnings {
		result.Warnings[i] = s.foreign(warning, 500)
	}
	return result, nil
}

// Close gives the connections back. Queries fail afterwards.
func (s *Server) Close() error {
	s.closed.Store(true)
	s.client.CloseIdleConnections()
	return nil
}

func (s *Server) get(ctx context.Context, endpoint string, values url.Values) (answer, error) {
	if s.closed.Load() {
		return answer{}, &refusal{text: "the source was closed"}
	}
	if !strings.HasPrefix(endpoint, "query") || s.strict.Load() {
		return s.ask(ctx, endpoint, values)
	}
	// VictoriaMetrics answers what it knew half a minute before unless it is told not to. Most others do not look at it.
	now := maps.Clone(values)
	now.Set(noCache, "1")
	a, err := s.ask(ctx, endpoint, now)
	if errors.Is(err, errUnknownParameter) {
		s.strict.Store(true)
		return s.ask(ctx, endpoint, values)
	}
	return a, err
}

const noCache = "nocache"

// errUnknownParameter is of a server, such as Google's, that refuses what it does not know.
var errUnknownParameter = errors.New("the server refuses a parameter that it does not know")

var unknownParameter = regexp.MustCompile(`(?i)(?:unknown|unrecogni[sz]ed|unsupported)[^\n]*` + noCache)

// ask sends one request of get's.
func (s *Server) ask(ctx context.Context, endpoint string, values url.Values) (answer, error) {
	u := s.base.JoinPath("api", "v1", endpoint)
	method, body := http.MethodGet, ""
	if encoded := values.Encode(); len(encoded) > longestGet {
		method, body = http.MethodPost, encoded
	} else if encoded != "" {
		u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+encoded, "&")
	}
	response, raw, err := s.fetch(ctx, u, method, body)
	if err != nil {
		return answer{}, err
	}
	if response.StatusCode == http.StatusBadRequest && values.Has(noCache) && unknownParameter.Match(raw) {
		return answer{}, errUnknownParameter
	}
	a, err := parseAnswer(raw)
	if response.StatusCode != http.StatusOK || (err == nil && a.Status == "error") {
		return answer{}, s.refused(response, a, err, raw)
	}
	if errors.Is(err, errNotAnAnswer) {
		return answer{}, s.notPrometheus(raw)
	}
	if err != nil {
		return answer{}, &refusal{text: s.foreign(err.Error(), 500)}
	}
	return a, nil
}

// fetch sends one request with the credentials and reads the whole answer. The answer's body is closed.
func (s *Server) fetch(ctx context.Context, u *url.URL, method, body string) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for name, value := range s.config.Headers {
		request.Header.Set(name, value)
		if http.CanonicalHeaderKey(name) == "Host" {
			request.Host = value
		}
	}
	request.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, s.maxAnswer+1))
	if err != nil {
		return nil, nil, &brokenAnswer{err}
	}
	if int64(len(raw)) > s.maxAnswer {
		return nil, nil, &refusal{text: fmt.Sprintf("%s answered with more than %d MiB: aggregate in the query, as in sum by (job) (…)", s.shown, s.maxAnswer>>20)}
	}
	return response, raw, nil
}
