package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

const (
	// mostAtOnce is how many requests are answered side by side; the others wait.
	mostAtOnce = 4
	// longestForm bounds what a request may send.
	longestForm = 1 << 20
)

// Handler serves the reading part of Prometheus's HTTP API, for Grafana, promtool and other clients on this machine. Where a
// request names no time, it is that of the last sample rather than now, of which nothing is recorded.
func (r *Recorded) Handler() http.Handler {
	mux := http.NewServeMux()
	slots := make(chan struct{}, mostAtOnce)
	handle := func(path string, answer func(*http.Request) (reply, error)) {
		h := func(w http.ResponseWriter, q *http.Request) {
			q.Body = http.MaxBytesReader(w, q.Body, longestForm)
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-q.Context().Done():
				return
			}
			if err := q.ParseForm(); err != nil {
				respond(w, reply{}, &badQuery{fmt.Errorf("the form cannot be read: %w", err)})
				return
			}
			ctx, cancel := context.WithTimeout(q.Context(), longestQuery)
			defer cancel()
			out, err := answer(q.WithContext(ctx))
			respond(w, out, err)
		}
		mux.HandleFunc("GET "+path, h)
		mux.HandleFunc("POST "+path, h)
	}
	fixed := func(path string, data any) {
		handle(path, func(*http.Request) (reply, error) { return reply{Data: data}, nil })
	}
	handle("/api/v1/query", r.serveQuery)
	handle("/api/v1/query_range", r.serveRange)
	handle("/api/v1/series", r.serveSeries)
	handle("/api/v1/labels", r.serveLabels)
	handle("/api/v1/label/{name}/values", r.serveValues)
	fixed("/api/v1/status/buildinfo", map[string]string{"version": strings.TrimPrefix(engineVersion(), "v"), "revision": "", "branch": "", "buildUser": "gameday", "buildDate": "", "goVersion": ""})
	fixed("/api/v1/metadata", map[string]any{})
	fixed("/api/v1/rules", map[string]any{"groups": []any{}})
	fixed("/api/v1/alerts", map[string]any{"alerts": []any{}})
	fixed("/api/v1/query_exemplars", []any{})
	fixed("/api/v1/targets", map[string]any{"activeTargets": []any{}, "droppedTargets": []any{}, "droppedTargetCounts": map[string]int{}})
	for path, text := range map[string]string{
		"/-/healthy": "Prometheus Server is Healthy.\n",
		"/-/ready":   "Prometheus Server is Ready.\n",
		"/{$}":       fmt.Sprintf("The recorded samples of a gameday run, from %s to %s.\nGive this address to Grafana or promtool as that of a Prometheus server.\n", r.from.Format(time.RFC3339), r.to.Format(time.RFC3339)),
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) {
		respond(w, reply{}, &notServed{q.Method + " " + q.URL.Path})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		// A page in a browser can make its own name point here; what it asks for under that name is not for it.
		if !local(q.Host) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "the host %q is not this machine's own: use 127.0.0.1 or localhost\n", q.Host)
			return
		}
		mux.ServeHTTP(w, q)
	})
}

func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// A notServed is an error of a request for what is not offered.
type notServed struct{ what string }

func (n *notServed) Error() string {
	return fmt.Sprintf("%s is not served: what is recorded can be read with /api/v1/query, query_range, series, labels and label/<name>/values", n.what)
}

// A reply is the answer to a request, in Prometheus's own form.
type reply struct {
	Status    string   `json:"status"`
	Data      any      `json:"data,omitempty"`
	ErrorType string   `json:"errorType,omitempty"`
	Error     string   `json:"error,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	Infos     []string `json:"infos,omitempty"`
}

// Reply is the data as the whole answer of Prometheus's HTTP API.
func (d Data) Reply() any {
	return reply{Status: "success", Data: d, Warnings: d.Warnings, Infos: d.Infos}
}

func respond(w http.ResponseWriter, out reply, err error) {
	code := http.StatusOK
	out.Status = "success"
	if err != nil {
		out = reply{Status: "error", Error: err.Error()}
		code, out.ErrorType = classify(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.Encode(out)
}

// classify is the status and the name that Prometheus gives to an error.
func classify(err error) (int, string) {
	var (
		bad  *badQuery
		gone *notServed
	)
	switch {
	case errors.As(err, &bad):
		return http.StatusBadRequest, "bad_data"
	case errors.As(err, &gone):
		return http.StatusNotFound, "not_found"
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, "timeout"
	case errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable, "canceled"
	}
	return http.StatusUnprocessableEntity, "execution"
}

func (r *Recorded) serveQuery(q *http.Request) (reply, error) {
	at, err := timeOf(q, "time", r.to)
	if err != nil {
		return reply{}, err
	}
	return r.serveData(q, func(ctx context.Context) (Data, error) { return r.Evaluate(ctx, q.FormValue("query"), at) })
}

func (r *Recorded) serveRange(q *http.Request) (reply, error) {
	from, err := timeOf(q, "start", r.from)
	if err != nil {
		return reply{}, err
	}
	to, err := timeOf(q, "end", r.to)
	if err != nil {
		return reply{}, err
	}
	step := r.config.Interval
	if text := q.FormValue("step"); text != "" {
		if step, err = durationOf(q, "step"); err != nil {
			return reply{}, err
		}
	}
	return r.serveData(q, func(ctx context.Context) (Data, error) {
		return r.EvaluateRange(ctx, q.FormValue("query"), from, to, step)
	})
}

func (r *Recorded) serveData(q *http.Request, evaluate func(context.Context) (Data, error)) (reply, error) {
	ctx := q.Context()
	if q.FormValue("timeout") != "" {
		d, err := durationOf(q, "timeout")
		if err != nil {
			return reply{}, err
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	limit, err := limitOf(q)
	if err != nil {
		return reply{}, err
	}
	data, err := evaluate(ctx)
	if err != nil {
		return reply{}, err
	}
	if limit > 0 && len(data.Series) > limit {
		data.Series = data.Series[:limit]
		data.Warnings = append(data.Warnings, cutShort)
	}
	return reply{Data: data, Warnings: data.Warnings, Infos: data.Infos}, nil
}

// cutShort is what Prometheus says of an answer that has more than was asked for.
const cutShort = "results truncated due to limit"

func (r *Recorded) serveSeries(q *http.Request) (reply, error) {
	if len(q.Form["match[]"]) == 0 {
		return reply{}, &badQuery{errors.New("no match[] parameter provided")}
	}
	return r.look(q, func(ctx context.Context, s storage.Querier, hints *storage.SelectHints, selected [][]*labels.Matcher) (any, int, error) {
		series := map[string]labels.Labels{}
		for _, matchers := range selected {
			set := s.Select(ctx, false, hints, matchers...)
			for set.Next() {
				series[set.At().Labels().String()] = set.At().Labels()
			}
			if set.Err() != nil {
				return nil, 0, set.Err()
			}
		}
		out := []map[string]string{}
		for _, key := range slices.Sorted(maps.Keys(series)) {
			out = append(out, series[key].Map())
		}
		return out, len(out), nil
	})
}

func (r *Recorded) serveLabels(q *http.Request) (reply, error) {
	return r.serveNames(q, func(ctx context.Context, s storage.Querier, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
		return s.LabelNames(ctx, nil, matchers...)
	})
}

func (r *Recorded) serveValues(q *http.Request) (reply, error) {
	name := q.PathValue("name")
	if strings.HasPrefix(name, "U__") {
		name = model.UnescapeName(name, model.ValueEncodingEscaping)
	}
	if !model.UTF8Validation.IsValidLabelName(name) {
		return reply{}, &badQuery{fmt.Errorf("invalid label name: %q", name)}
	}
	return r.serveNames(q, func(ctx context.Context, s storage.Querier, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
		return s.LabelValues(ctx, name, nil, matchers...)
	})
}

// serveNames collects what read returns for each selector, or without one for everything.
func (r *Recorded) serveNames(q *http.Request, read func(context.Context, storage.Querier, ...*labels.Matcher) ([]string, annotations.Annotations, error)) (reply, error) {
	return r.look(q, func(ctx context.Context, s storage.Querier, _ *storage.SelectHints, selected [][]*labels.Matcher) (any, int, error) {
		if len(selected) == 0 {
			selected = [][]*labels.Matcher{nil}
		}
		out := []string{}
		for _, matchers := range selected {
			names, _, err := read(ctx, s, matchers...)
			if err != nil {
				return nil, 0, err
			}
			for _, name := range names {
				out = append(out, strings.Clone(name)) // the querier's own text goes with it
			}
		}
		slices.Sort(out)
		out = slices.Compact(out)
		return out, len(out), nil
	})
}

// look answers a question about the series between two times, of which at most so many as the request allows.
func (r *Recorded) look(q *http.Request, read func(context.Context, storage.Querier, *storage.SelectHints, [][]*labels.Matcher) (any, int, error)) (reply, error) {
	from, err := timeOf(q, "start", r.from)
	if err != nil {
		return reply{}, err
	}
	to, err := timeOf(q, "end", r.to)
	if err != nil {
		return reply{}, err
	}
	limit, err := limitOf(q)
	if err != nil {
		return reply{}, err
	}
	var selected [][]*labels.Matcher
	for _, text := range q.Form["match[]"] {
		if err := readable(text); err != nil {
			return reply{}, &badQuery{fmt.Errorf("match[]: %w", err)}
		}
		matchers, err := promQL.ParseMetricSelector(text)
		if err != nil {
			return reply{}, &badQuery{fmt.Errorf("match[]: %w", err)}
		}
		if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches("") }) {
			return reply{}, &badQuery{errors.New("match[] must contain at least one non-empty matcher")}
		}
		selected = append(selected, matchers)
	}
	ctx, done, err := r.begin(q.Context())
	if err != nil {
		return reply{}, err
	}
	defer done()
	s, err := r.Querier(from.UnixMilli(), to.UnixMilli())
	if err != nil {
		return reply{}, r.explain(err)
	}
	defer s.Close()
	// Samples are not needed, and with this name none are read.
	data, n, err := read(ctx, s, &storage.SelectHints{Start: from.UnixMilli(), End: to.UnixMilli(), Func: "series"}, selected)
	if err != nil {
		return reply{}, r.explain(err)
	}
	out := reply{Data: data}
	if limit > 0 && n > limit {
		out.Warnings = []string{cutShort}
		switch list := data.(type) {
		case []string:
			out.Data = list[:limit]
		case []map[string]string:
			out.Data = list[:limit]
		}
	}
	return out, nil
}

// timeOf reads a time as Prometheus does: seconds since 1970, or RFC 3339.
func timeOf(q *http.Request, name string, otherwise time.Time) (time.Time, error) {
	text := q.FormValue(name)
	if text == "" {
		return otherwise, nil
	}
	if t, ok := ParseTime(text); ok {
		return t, nil
	}
	return time.Time{}, &badQuery{fmt.Errorf("invalid parameter %q: cannot parse %q to a valid timestamp", name, text)}
}

// ParseTime reads a time as Prometheus does: seconds since 1970, or RFC 3339.
func ParseTime(text string) (time.Time, bool) {
	if s, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(s) || math.Abs(s) > 1e14 { // beyond this milliseconds are no whole numbers any more
			return time.Time{}, false
		}
		return time.UnixMilli(int64(math.Round(s * 1000))).UTC(), true
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return t, err == nil
}

func durationOf(q *http.Request, name string) (time.Duration, error) {
	text := q.FormValue(name)
	if s, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(s) < 1e9 {
		return time.Duration(s * float64(time.Second)), nil
	}
	if d, err := model.ParseDuration(text); err == nil {
		return time.Duration(d), nil
	}
	return 0, &badQuery{fmt.Errorf("invalid parameter %q: cannot parse %q to a valid duration", name, text)}
}

func limitOf(q *http.Request) (int, error) {
	text := q.FormValue("limit")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, &badQuery{fmt.Errorf("invalid parameter \"limit\": %q is not a whole number", text)}
	}
	return n, nil
}
