package metrics

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/promql"
)

// A Data is what a query returned, as Prometheus's HTTP API writes it.
type Data struct {
	Type     string // "vector", "matrix", "scalar" or "string"
	Series   []Line // one for a scalar; none for a string
	Text     string // of a string
	At       time.Time
	Warnings []string
	Infos    []string
}

// A Line is one series of a Data: one point of it, or several in a matrix.
type Line struct {
	Labels map[string]string
	Points []Point
}

// A Point is the value of a series at one time.
type Point struct {
	At    time.Time
	Value float64 // may be NaN or infinite
}

// Evaluate is Query for any PromQL, as Prometheus answers it: a string and a range of samples are answers too.
func (r *Recorded) Evaluate(ctx context.Context, query string, at time.Time) (Data, error) {
	return r.evaluate(ctx, query, at, func(ctx context.Context) (promql.Query, error) {
		return r.engine.NewInstantQuery(ctx, r, nil, query, at)
	})
}

// MostSteps is how many evaluations a range may have, as on a server.
const MostSteps = 11000

// EvaluateRange evaluates a query from one time to another, a step apart.
func (r *Recorded) EvaluateRange(ctx context.Context, query string, from, to time.Time, step time.Duration) (Data, error) {
	switch {
	case step < time.Millisecond:
		return Data{}, &badQuery{fmt.Errorf("the step is %s, and Prometheus knows nothing shorter than 1ms", step)}
	case to.Before(from):
		return Data{}, &badQuery{errors.New("the range ends before it begins")}
	case to.Sub(from)/step > MostSteps:
		return Data{}, &badQuery{fmt.Errorf("the range has more than %d steps: take a longer step, or a shorter range", MostSteps)}
	}
	return r.evaluate(ctx, query, from, func(ctx context.Context) (promql.Query, error) {
		return r.engine.NewRangeQuery(ctx, r, nil, query, from, to, step)
	})
}

// A badQuery is an error of who asks, not of the evaluation.
type badQuery struct{ error }

func (b *badQuery) Unwrap() error { return b.error }

func (r *Recorded) evaluate(ctx context.Context, query string, at time.Time, open func(context.Context) (promql.Query, error)) (Data, error) {
	if err := readable(query); err != nil {
		return Data{}, &badQuery{err}
	}
	if _, err := promQL.ParseExpr(query); err != nil {
		return Data{}, &badQuery{syntaxError(query, err)}
	}
	ctx, done, err := r.begin(ctx)
	if err != nil {
		return Data{}, err
	}
	defer done()
	q, err := open(ctx)
	if err != nil {
		return Data{}, &badQuery{err}
	}
	// Close recycles what the query returned: everything is copied.
	defer q.Close()
	result := q.Exec(ctx)
	if result.Err != nil {
		return Data{}, r.explain(queryError(result.Err))
	}
	out := Data{Type: string(result.Value.Type()), At: at}
	out.Warnings, out.Infos = result.Warnings.AsStrings(query, 0, 0)
	switch v := result.Value.(type) {
	case promql.String:
		out.Text = v.V
	case promql.Scalar:
		out.Series = []Line{{Points: []Point{{time.UnixMilli(v.T).UTC(), v.V}}}}
	case promql.Vector:
		for _, s := range v {
			line := Line{Labels: s.Metric.Map(), Points: []Point{{time.UnixMilli(s.T).UTC(), s.F}}}
			if s.H != nil {
				return Data{}, errHistogram(line.Labels)
			}
			out.Series = append(out.Series, line)
		}
	case promql.Matrix:
		for _, s := range v {
			line := Line{Labels: s.Metric.Map(), Points: make([]Point, 0, len(s.Floats))}
			if len(s.Histograms) > 0 {
				return Data{}, errHistogram(line.Labels)
			}
			for _, p := range s.Floats {
				line.Points = append(line.Points, Point{time.UnixMilli(p.T).UTC(), p.F})
			}
			out.Series = append(out.Series, line)
		}
	}
	return out, nil
}

// MarshalJSON writes what Prometheus's HTTP API has under "data".
func (d Data) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"resultType":%q,"result":`, d.Type)
	switch d.Type {
	case "string":
		text, err := json.Marshal(d.Text)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "[%s,%s]", timestamp(d.At), text)
	case "scalar":
		b.Write(d.Series[0].Points[0].json())
	default:
		b.WriteByte('[')
		for i, line := range d.Series {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := line.write(&b, d.Type == "matrix"); err != nil {
				return nil, err
			}
		}
		b.WriteByte(']')
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (l Line) write(b *bytes.Buffer, several bool) error {
	labels := l.Labels
	if labels == nil {
		labels = map[string]string{}
	}
	metric, err := json.Marshal(labels) // in name order
	if err != nil {
		return err
	}
	fmt.Fprintf(b, `{"metric":%s,`, metric)
	if !several {
		fmt.Fprintf(b, `"value":%s}`, l.Points[0].json())
		return nil
	}
	b.WriteString(`"values":[`)
	for i, p := range l.Points {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(p.json())
	}
	b.WriteString("]}")
	return nil
}

// json is [time, "value"]: the value is text, because JSON has no NaN.
func (p Point) json() []byte {
	format := byte('f')
	if abs := math.Abs(p.Value); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return fmt.Appendf(nil, "[%s,%q]", timestamp(p.At), strconv.FormatFloat(p.Value, format, -1, 64))
}

// timestamp is in seconds since 1970, with the milliseconds only where there are any.
func timestamp(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
}
