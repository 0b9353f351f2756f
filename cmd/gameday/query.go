package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"gameday/runner"
	"gameday/runner/journal"
	"gameday/runner/metrics"
)

type queryFlags struct {
	runs, at, from, to, listen string
	step                       time.Duration
	serve, asJSON              bool
}

func (a app) queryCommand() *cobra.Command {
	var f queryFlags
	c := &cobra.Command{
		Use:   "query RUN QUERY",
		Short: "Ask the recorded series of a run in PromQL, or serve them to Grafana and promtool",
		Long: `Ask the series that the embedded engine scraped in a run, with the same engine: at one time (--at, or else at the end of the run), or over a
range (--from, --to, --step). The run directory is only read. RUN is a run directory, an id below --runs or a part of one, or "latest".

Times are ` + runner.MomentHelp + `.

QUERY is PromQL, or Q1, Q2 …: what the run's own query of that number returned, sample by sample. That is all there is of a run that asked a
Prometheus server. --json prints what Prometheus's HTTP API answers.

With --serve and no QUERY the series are served on this machine, by the reading part of Prometheus's HTTP API, until Ctrl-C. Where a client
names no time it is that of the last sample.`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case f.serve && len(args) != 1:
				return see(c, "with --serve name one run and no query")
			case !f.serve && len(args) != 2:
				return see(c, "name one run and one query")
			}
			return nil
		},
		ValidArgsFunction: completeRuns(&f.runs),
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := journal.Find(f.runs, args[0])
			if err != nil {
				return err
			}
			if f.serve {
				return a.serve(dir, f.listen)
			}
			return a.query(c, dir, args[1], f)
		},
	}
	c.Flags().StringVar(&f.runs, "runs", "runs", "look for run directories in this `directory`")
	c.Flags().StringVar(&f.at, "at", "", "evaluate at this `time`")
	c.Flags().StringVar(&f.from, "from", "", "evaluate from this `time` on, which is the start of the run if only --to or --step is given")
	c.Flags().StringVar(&f.to, "to", "", "evaluate until this `time`, which is the end of the run if only --from or --step is given")
	c.Flags().DurationVar(&f.step, "step", 0, "evaluate every so often from --from to --to (default the scrape interval)")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print what Prometheus's HTTP API answers")
	c.Flags().BoolVar(&f.serve, "serve", false, "serve the series by Prometheus's HTTP API")
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:0", "serve at this `address` of this machine; port 0 is any free one")
	c.MarkFlagsMutuallyExclusive("at", "from")
	c.MarkFlagsMutuallyExclusive("at", "to")
	c.MarkFlagsMutuallyExclusive("at", "step")
	c.MarkFlagsMutuallyExclusive("serve", "json")
	return c
}

func (a app) query(c *cobra.Command, dir, query string, f queryFlags) error {
	rec, err := journal.Read(dir)
	if err != nil {
		return err
	}
	moments := runner.MomentsOf(rec)
	times := map[string]time.Time{}
	for name, text := range map[string]string{"at": f.at, "from": f.from, "to": f.to} {
		if text == "" {
			continue
		}
		if times[name], err = moments.Parse(text); err != nil {
			return see(c, fmt.Sprintf("--%s: %v", name, err))
		}
	}
	if q := rec.Queries[query]; q != nil {
		return a.recordedQuery(q, moments, times, f.asJSON)
	}
	src, err := runner.RecordedSeries(dir, rec)
	if err != nil {
		return err
	}
	defer src.Close()
	a.warnDamage(src)
	ctx, stop := signals()
	defer stop()
	var data metrics.Data
	if f.from == "" && f.to == "" && f.step == 0 {
		at := times["at"]
		if at.IsZero() {
			at = moments.End
		}
		data, err = src.Evaluate(ctx, query, at)
	} else {
		from, to, step := times["from"], times["to"], cmp.Or(f.step, src.Info().Interval)
		if from.IsZero() {
			from = moments.Start
		}
		if to.IsZero() {
			to = moments.End
		}
		data, err = src.EvaluateRange(ctx, query, from, to, step)
	}
	if err != nil {
		return err
	}
	if f.asJSON {
		return a.json(data.Reply())
	}
	for _, w := range append(data.Warnings, data.Infos...) {
		fmt.Fprintln(a.stderr, "gameday: "+clean(w))
	}
	return printData(a.stdout, data, moments)
}

func (a app) warnDamage(src *metrics.Recorded) {
	if d := src.Damage(); d != "" {
		fmt.Fprintln(a.stderr, "gameday: "+clean(d))
	}
}

// recordedQuery prints what one of the run's own queries returned.
func (a app) recordedQuery(q *journal.Query, moments runner.Moments, times map[string]time.Time, asJSON bool) error {
	from, to := times["from"], times["to"]
	if at := times["at"]; !at.IsZero() {
		// The sample that was the latest then.
		for _, s := range q.Samples {
			if !s.At.After(at) {
				from, to = s.At, s.At
			}
		}
		if from.IsZero() {
			return fmt.Errorf("%s has no sample by %s", q.ID, at.UTC().Format(time.RFC3339Nano))
		}
	}
	var chosen []journal.Sample
	for _, s := range q.Samples {
		if !s.At.Before(from) && (to.IsZero() || !s.At.After(to)) {
			chosen = append(chosen, s)
		}
	}
	if asJSON {
		return a.json(matrix(chosen).Reply())
	}
	fmt.Fprintf(a.stderr, "%s of %s %s: %s\n", q.ID, q.Purpose, clean(q.Name), clean(oneLine(q.Text)))
	t := table{head: []string{"T", "TIME (UTC)", "STATE", "VALUE", "SERIES"}}
	for _, s := range chosen {
		start := []string{moments.Offset(s.At), s.At.UTC().Format(clock), string(s.State)}
		if len(s.Series) == 0 {
			t.rows = append(t.rows, append(start, "-", s.Error))
		}
		for _, v := range s.Series {
			t.rows = append(t.rows, append(start[:3:3], exact(float64(v.Value)), series(v.Labels)))
		}
	}
	return t.print(a.stdout)
}

// clock is how times of day are printed.
const clock = "15:04:05.000"

// matrix sorts samples by series, as Prometheus does.
func matrix(samples []journal.Sample) metrics.Data {
	lines := map[string]*metrics.Line{}
	for _, s := range samples {
		for _, v := range s.Series {
			key := series(v.Labels)
			if lines[key] == nil {
				lines[key] = &metrics.Line{Labels: v.Labels}
			}
			lines[key].Points = append(lines[key].Points, metrics.Point{At: s.At, Value: float64(v.Value)})
		}
	}
	d := metrics.Data{Type: "matrix"}
	for _, key := range slices.Sorted(maps.Keys(lines)) {
		d.Series = append(d.Series, *lines[key])
	}
	return d
}

// series writes labels as Prometheus does.
func series(labels map[string]string) string { return oneLine(labels["__name__"] + labelWords(labels)) }

// exact is a value with all its digits.
func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func printData(out io.Writer, d metrics.Data, moments runner.Moments) error {
	if d.Type == "string" {
		_, err := fmt.Fprintln(out, clean(d.Text))
		return err
	}
	t := table{head: []string{"T", "TIME (UTC)", "VALUE", "SERIES"}}
	for _, line := range d.Series {
		for _, p := range line.Points {
			t.rows = append(t.rows, []string{moments.Offset(p.At), p.At.Format(clock), exact(p.Value), series(line.Labels)})
		}
	}
	return t.print(out)
}

// serve offers the recorded series of a run until a signal comes.
func (a app) serve(dir, listen string) error {
	rec, err := journal.ReadEvents(dir)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--listen %s: what a rehearsal recorded is served on this machine only: use 127.0.0.1:PORT", listen)
	}
	src, err := runner.RecordedSeries(dir, rec)
	if err != nil {
		return err
	}
	defer src.Close()
	a.warnDamage(src)
	ctx, stop := signals()
	defer stop()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("cannot serve at %s: %w; choose another port with --listen 127.0.0.1:PORT", listen, err)
	}
	if at, ok := l.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
		l.Close()
		return fmt.Errorf("%s is %s, which others than this machine reach: use --listen 127.0.0.1:PORT", listen, l.Addr())
	}
	server := &http.Server{Handler: src.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	from, to := src.Window()
	fmt.Fprintf(a.stdout, "http://%s\n", l.Addr())
	fmt.Fprintf(a.stderr, "Serving %s, from %s to %s, to Grafana, promtool and other clients of Prometheus on this machine. Ctrl-C ends it.\n",
		filepath.Base(dir), from.Format(time.RFC3339), to.Format(time.RFC3339))
	select {
	case err = <-ended:
	case <-ctx.Done():
		stop() // a second Ctrl-C ends it at once
		patience, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err = server.Shutdown(patience); errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}
