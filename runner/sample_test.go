package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// A source that answers by itself.
type answering func(ctx context.Context, at time.Time) (metrics.Result, error)

func (answering) Info() metrics.Info          { return metrics.Info{} }
func (answering) Start(context.Context) error { return nil }
func (answering) Close() error                { return nil }
func (a answering) Query(ctx context.Context, _ string, at time.Time) (metrics.Result, error) {
	return a(ctx, at)
}

func TestAsk(t *testing.T) {
	for name, tt := range map[string]struct {
		arguments string
		result    metrics.Result
		err       error
		want      journal.State
		says      string
	}{
		"an answer":           {result: metrics.Result{Series: []metrics.Series{{Value: 1}}}, want: journal.Holding},
		"beyond the bound":    {result: metrics.Result{Series: []metrics.Series{{Value: 9}}}, want: journal.Violated},
		"nothing":             {want: journal.NoData, says: "the query returned no series"},
		"a failed query":      {err: errors.New("500"), want: journal.NoData, says: "500"},
		"a failure counts":    {arguments: `no_data = "violates"`, err: errors.New("500"), want: journal.Violated, says: "500"},
		"waits for baseline":  {arguments: `expect = value < baseline`, result: metrics.Result{Series: []metrics.Series{{Value: 1}}}, want: journal.Waiting},
		"failed, no baseline": {arguments: `expect = value < baseline`, err: errors.New("500"), want: journal.NoData, says: "500"},
	} {
		t.Run(name, func(t *testing.T) {
			src := answering(func(context.Context, time.Time) (metrics.Result, error) { return tt.result, tt.err })
			s := ask(t.Context(), src, hypothesis(t, tt.arguments), began, usual{})
			if s.State != tt.want || s.Error != tt.says || !s.At.Equal(began) {
				t.Errorf("the sample is %+v", s)
			}
		})
	}
}

// sampled runs a sampler in virtual time and returns the offsets of the samples that it recorded.
func sampled(t *testing.T, every, length time.Duration, src answering) (got []time.Duration, took time.Duration) {
	q := hypothesis(t, "")
	q.Every = every
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		s := &sampler{src: src, began: start, phase: func() journal.Phase { return journal.Fault }, timeout: 10 * time.Second, asked: map[string][]time.Time{},
			record: func(_ PlannedQuery, s journal.Sample) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, s.At.Sub(start.Round(0)))
			}}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { s.run(ctx, q) })
		time.Sleep(length)
		s.answered(ctx, time.Now())
		took = time.Since(start) - length
		cancel()
		wg.Wait()
		s.wg.Wait()
		if n := len(s.asked[q.ID]); n > 0 {
			t.Errorf("%d questions are still open", n)
		}
	})
	slices.Sort(got)
	return got, took
}

func TestSamplingIsAtAFixedRate(t *testing.T) {
	for _, latency := range []time.Duration{0, 300 * time.Millisecond, 4 * time.Second} {
		t.Run(fmt.Sprint("answers take ", latency), func(t *testing.T) {
			got, took := sampled(t, time.Second, 5500*time.Millisecond, func(context.Context, time.Time) (metrics.Result, error) {
				time.Sleep(latency)
				return metrics.Result{}, nil
			})
			for i := range 5 {
				if want := time.Duration(i+1) * time.Second; i >= len(got) || got[i] != want {
					t.Fatalf("sampled at %v", got)
				}
			}
			if took > latency {
				t.Errorf("it waited %s for what was asked", took)
			}
		})
	}
}

func TestASlowSourceIsCutOff(t *testing.T) {
	got, took := sampled(t, 3*time.Second, 4*time.Second, func(ctx context.Context, _ time.Time) (metrics.Result, error) {
		<-ctx.Done()
		return metrics.Result{}, ctx.Err()
	})
	if len(got) == 0 || got[0] != 3*time.Second || took > 10*time.Second {
		t.Errorf("samples %v after %s", got, took)
	}
}

// began lies in the past: the machine was busy, or slept.
func TestLateSampling(t *testing.T) {
	for _, tt := range []struct {
		late  time.Duration
		first time.Duration
	}{{0, time.Second}, {1900 * time.Millisecond, time.Second}, {10*time.Minute + 300*time.Millisecond, 10*time.Minute + time.Second}} {
		t.Run(fmt.Sprint("late by ", tt.late), func(t *testing.T) {
			q := hypothesis(t, "")
			synctest.Test(t, func(t *testing.T) {
				start := time.Now().Add(-tt.late)
				var mu sync.Mutex
				var times []time.Time
				ctx, cancel := context.WithCancel(t.Context())
				s := &sampler{src: answering(func(context.Context, time.Time) (metrics.Result, error) { return metrics.Result{}, nil }), began: start,
					phase: func() journal.Phase { return journal.Fault }, timeout: time.Second, asked: map[string][]time.Time{},
					record: func(_ PlannedQuery, s journal.Sample) {
						mu.Lock()
						defer mu.Unlock()
						times = append(times, s.At)
					}}
				var wg sync.WaitGroup
				wg.Go(func() { s.run(ctx, q) })
				time.Sleep(1500 * time.Millisecond)
				cancel()
				wg.Wait()
				s.wg.Wait()
				if got := slices.MinFunc(times, time.Time.Compare).Sub(start.Round(0)); got != tt.first {
					t.Errorf("the first sample is of %s", got)
				}
			})
		})
	}
}
