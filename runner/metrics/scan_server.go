package metrics

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

const (
	// mostScanned is how many series are read from a server at most: it has other work to do.
	mostScanned = 50_000
	// atOnce is how many series one request asks for, unless a single metric has more.
	atOnce = 2_000
)

// Scan asks a server for raw samples, some metrics at a time. It first asks which metrics there are, so that those which are not
// wanted are never sent.
func (s *Server) Scan(ctx context.Context, x Scan, each func(RawSeries)) (string, error) {
	wanted, err := matchers(x.Selector)
	if err != nil {
		return "", err
	}
	selector := make([]string, len(wanted))
	for i, m := range wanted {
		selector[i] = m.String()
	}
	window := fmt.Sprintf("[%dms]", x.To.Sub(x.From).Milliseconds())
	listed, err := s.Query(ctx, fmt.Sprintf("count by (%s) (last_over_time({%s}%s))", model.MetricNameLabel, strings.Join(selector, ","), window), x.To)
	if err != nil {
		return "", err
	}
	families := s.kinds(ctx)
	typed := func(one RawSeries) {
		one.Kind = kindOf(families, one.Metric)
		each(one)
	}
	var names []string
	pending, asked, got, leftOut := 0, 0, 0, 0
	flush := func() error {
		if len(names) == 0 {
			return nil
		}
		only := append(selector[:len(selector):len(selector)], fmt.Sprintf("%s=~%q", model.MetricNameLabel, strings.Join(names, "|")))
		names, pending = nil, 0
		n, err := s.matrix(ctx, "{"+strings.Join(only, ",")+"}"+window, x.To, typed)
		got += n
		return err
	}
	for _, metric := range listed.Series {
		name, n := metric.Labels[model.MetricNameLabel], int(metric.Value)
		if x.skip(name) {
			continue
		}
		if asked+n > mostScanned {
			leftOut += n
			continue
		}
		if pending > 0 && pending+n > atOnce {
			err = flush()
		}
		if err != nil {
			break
		}
		names = append(names, regexp.QuoteMeta(name))
		pending += n
		asked += n
	}
	if err == nil {
		err = flush()
	}
	switch {
	case err != nil && got == 0:
		return "", err
	case err != nil:
		return fmt.Sprintf("only %d series were read: %v", got, err), nil
	case leftOut > 0:
		return fmt.Sprintf("%d series were not read, for %d are read at most: make the selector narrower", leftOut, mostScanned), nil
	}
	return "", nil
}

// kinds is what the exporters told the server of their metrics, by the name of the family; of two that differ neither counts. Not every
// server keeps it, and none has to: what it does not tell is not known.
func (s *Server) kinds(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	response, raw, err := s.fetch(ctx, s.base.JoinPath("api", "v1", "metadata"), http.MethodGet, "")
	if err != nil || response.StatusCode != http.StatusOK {
		return nil
	}
	var told struct {
		Data map[string][]struct {
			Type string `json:"type"`
		} `json:"data"`
	}
	if json.Unmarshal(raw, &told) != nil {
		return nil
	}
	out := map[string]string{}
	for family, list := range told.Data {
		for i, m := range list {
			if i > 0 && m.Type != out[family] {
				out[family] = ""
				break
			}
			out[family] = m.Type
		}
	}
	return out
}

// matrix asks for the raw samples of a range selector, and says how many series it handed out.
func (s *Server) matrix(ctx context.Context, query string, at time.Time, each func(RawSeries)) (n int, err error) {
	asked, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	a, err := s.get(asked, "query", url.Values{
		"query": {query},
		"time":  {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)},
	})
	if err != nil {
		return 0, s.explain(ctx, err)
	}
	if a.Data.ResultType != "matrix" {
		return 0, s.errorf(nil, "%s answered a range selector with the result type %q", s.shown, s.foreign(a.Data.ResultType, 40))
	}
	var series []struct {
		Metric map[string]string `json:"metric"`
		Values []point           `json:"values"`
	}
	if err := json.Unmarshal(a.Data.Result, &series); err != nil {
		return 0, s.errorf(nil, "the samples that %s sent cannot be read: %s", s.shown, s.foreign(err.Error(), 200))
	}
	var out RawSeries
	for _, one := range series {
		out.Times, out.Values = out.Times[:0], out.Values[:0]
		for _, p := range one.Values {
			if !math.IsNaN(p.value) {
				out.Times, out.Values = append(out.Times, p.millis), append(out.Values, p.value)
			}
		}
		if len(out.Times) == 0 {
			continue
		}
		out.Metric, out.Labels = one.Metric[model.MetricNameLabel], one.Metric
		delete(out.Labels, model.MetricNameLabel)
		each(out)
		n++
	}
	return n, nil
}

// A point is one sample of a matrix: [time, "value"]. There may be millions, so it is read by hand.
type point struct {
	millis int64
	value  float64
}

func (p *point) UnmarshalJSON(raw []byte) error {
	at, text, ok := bytes.Cut(bytes.Trim(raw, "[] \t\r\n"), []byte{','})
	seconds, err := strconv.ParseFloat(string(bytes.TrimSpace(at)), 64)
	if !ok || err != nil {
		return errors.New("a sample has no time")
	}
	p.millis = int64(math.Round(seconds * 1000))
	p.value, err = strconv.ParseFloat(string(bytes.Trim(text, " \t\r\n\"")), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return errors.New("the value of a sample is not a number")
	}
	return nil
}
