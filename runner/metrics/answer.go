package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// An answer is what Prometheus's HTTP API wraps its data and its errors in.
type answer struct {
	Status    string   `json:"status"`
	ErrorType string   `json:"errorType"`
	Error     string   `json:"error"`
	Warnings  []string `json:"warnings"`
	Data      struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
		Version    string          `json:"version"`
		Groups     json.RawMessage `json:"groups"`
	} `json:"data"`
}

// errNotAnAnswer is the error of a body which is no answer of Prometheus's API at all.
var errNotAnAnswer = errors.New("not an answer of Prometheus's HTTP API")

func parseAnswer(body []byte) (answer, error) {
	var a answer
	body = bytes.TrimSpace(body)
	if err := json.Unmarshal(body, &a); err != nil {
		if len(body) > 0 && body[0] == '{' {
			return a, fmt.Errorf("the server's answer broke off or is damaged after %d bytes: %w", len(body), err)
		}
		return a, errNotAnAnswer
	}
	if a.Status != "success" && a.Status != "error" {
		return a, errNotAnAnswer
	}
	return a, nil
}

// result turns the data of a successful answer into series.
func (a answer) result() (Result, error) {
	switch a.Data.ResultType {
	case "vector":
		return vectorResult(a.Data.Result, a.Warnings)
	case "scalar":
		var point samplePair
		if err := json.Unmarshal(a.Data.Result, &point); err != nil {
			return Result{}, fmt.Errorf("the server's scalar cannot be read: %w", err)
		}
		return Result{Series: []Series{{Labels: map[string]string{}, Value: float64(point)}}, Warnings: a.Warnings}, nil
	case "string":
		return Result{}, checkType(parser.ValueTypeString, "")
	case "matrix":
		return Result{}, checkType(parser.ValueTypeMatrix, "…")
	}
	return Result{}, fmt.Errorf("the server answered with the result type %q, which is unknown here", a.Data.ResultType)
}

func vectorResult(raw json.RawMessage, warnings []string) (Result, error) {
	var elements []struct {
		Metric    map[string]string `json:"metric"`
		Value     *samplePair       `json:"value"`
		Histogram json.RawMessage   `json:"histogram"`
	}
	if err := json.Unmarshal(raw, &elements); err != nil {
		return Result{}, fmt.Errorf("the server's vector cannot be read: %w", err)
	}
	out := Result{Series: make([]Series, 0, len(elements)), Warnings: warnings}
	for _, e := range elements {
		switch {
		case e.Histogram != nil:
			return Result{}, errHistogram(e.Metric)
		case e.Value == nil:
			return Result{}, fmt.Errorf("the server's series %s has no value", labelText(e.Metric))
		}
		if e.Metric == nil {
			e.Metric = map[string]string{}
		}
		out.Series = append(out.Series, Series{Labels: e.Metric, Value: float64(*e.Value)})
	}
	sortSeries(out.Series)
	return out, nil
}

func errHistogram(labels map[string]string) error {
	return fmt.Errorf("the query returns a native histogram (%s), and a hypothesis needs numbers: "+
		"put histogram_quantile, histogram_count or histogram_sum around it", labelText(labels))
}

// A samplePair is the value of [time, "value"]: numbers travel as strings there because JSON has no NaN.
type samplePair float64

func (p *samplePair) UnmarshalJSON(raw []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(raw, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("a sample has %d elements instead of a time and a value", len(pair))
	}
	var text string
	if err := json.Unmarshal(pair[1], &text); err != nil {
		return errors.New("a value is not a number in a string")
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("the value %q is not a number", text)
	}
	*p = samplePair(v)
	return nil
}

// sortSeries orders by labels, so that the same series come in the same order from every source and at every time.
func sortSeries(series []Series) {
	type keyed struct {
		key string
		s   Series
	}
	list := make([]keyed, len(series))
	for i, s := range series {
		list[i] = keyed{labelText(s.Labels), s}
	}
	slices.SortStableFunc(list, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	for i := range list {
		series[i] = list[i].s
	}
}

// labelText writes labels as Prometheus does.
func labelText(labels map[string]string) string {
	names := make([]string, 0, len(labels))
	for name := range labels {
		if name != "__name__" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString(labels["__name__"])
	b.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s=%q", name, labels[name])
	}
	b.WriteByte('}')
	return b.String()
}
