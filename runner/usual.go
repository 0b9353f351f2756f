package runner

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"time"

	"gameday/runner/journal"
	"gameday/runner/metrics"
)

// usual is what the baseline of a query has shown. The zero value is that of a baseline which is not known yet.
type usual struct {
	medians map[string]float64 // by series; what `baseline` stands for
	// always are the labels of the series that every answer of the baseline had, in the order of their keys: those whose absence
	// later is missing data. There are none where the query returns now these series and now those, or one that holds is enough.
	always []map[string]string
	oldest time.Duration // how old what the query reads was at most; 0 where that is not known
	every  time.Duration // between two looks at it
}

// baselineOf is what the baseline of a query has shown after the warm-up.
func baselineOf(q PlannedQuery, h History) (usual, []journal.SeriesMedian) {
	values := map[string][]float64{}
	labels := map[string]map[string]string{}
	had := map[string]int{}
	answers := 0
	raw := view{q: q, h: h}
	for _, s := range h.Samples[q.ID] {
		raw.all = append(raw.all, seen{Sample: s})
	}
	samples := raw.in(journal.Baseline)
	for _, s := range samples {
		if len(s.Series) > 0 {
			answers++
		}
		for _, v := range s.Series {
			k := seriesKey(v.Labels)
			labels[k] = v.Labels
			had[k]++
			if f := float64(v.Value); !math.IsNaN(f) && !math.IsInf(f, 0) {
				values[k] = append(values[k], f)
			}
		}
	}
	u := usual{medians: map[string]float64{}, oldest: metrics.UsualAge(agesOf(samples)), every: q.Every}
	var rows []journal.SeriesMedian
	for _, k := range slices.Sorted(maps.Keys(values)) {
		u.medians[k] = median(values[k])
		rows = append(rows, journal.SeriesMedian{QueryID: q.ID, Labels: labels[k], Median: journal.Number(u.medians[k]), Samples: len(values[k])})
	}
	if q.Hypothesis == nil || q.Hypothesis.MatchAny || metrics.Chooses(q.Text) {
		return u, rows
	}
	for _, k := range slices.Sorted(maps.Keys(had)) {
		if had[k] == answers {
			u.always = append(u.always, labels[k])
		}
	}
	return u, rows
}

// ofProcess are the labels that may change when a target restarts or is made anew: its address, and the container's id.
var ofProcess = []string{"instance", "id"}

// lost are the series that the baseline always had and an answer has not. One that differs in nothing but ofProcess, and was not
// there before, stands in for one of them.
func (u usual) lost(in []journal.SeriesValue) []map[string]string {
	n := 0
	for _, v := range in {
		if n < len(u.always) && maps.Equal(u.always[n], v.Labels) {
			n++
		}
	}
	if n == len(u.always) {
		return nil // as nearly always: both are in the order of their keys
	}
	target := func(labels map[string]string) string {
		labels = maps.Clone(labels)
		for _, l := range ofProcess {
			delete(labels, l)
		}
		return seriesKey(labels)
	}
	there, fresh := map[string]bool{}, map[string]int{}
	for _, v := range in {
		k := seriesKey(v.Labels)
		there[k] = true
		if _, before := u.medians[k]; !before {
			fresh[target(v.Labels)]++
		}
	}
	var out []map[string]string
	for _, labels := range u.always {
		if there[seriesKey(labels)] {
			continue
		}
		if t := target(labels); fresh[t] > 0 {
			fresh[t]--
			continue
		}
		out = append(out, labels)
	}
	return out
}

// tellLost says which series are lost.
func tellLost(lost []map[string]string) string {
	text := "a series that the baseline always had is missing" + where(lost[0])
	if n := len(lost) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more", n)
	}
	return text
}

// agesOf is how old what samples read was, in their order.
func agesOf(samples []seen) (out []metrics.Aged) {
	for _, s := range samples {
		out = append(out, metrics.Aged{At: s.At, Age: max(0, time.Duration(s.Age))})
	}
	return out
}

// stale says of a sample why what the query read then does not count as data of its time; empty: it does.
func (u usual) stale(s *journal.Sample) string {
	switch age := time.Duration(s.Age); {
	case u.oldest == 0, s.Phase == journal.Baseline:
		return "" // what is usual is not known, or is this
	case age < 0:
		return "the source did not tell how old what the query reads is"
	case metrics.TooOld(age, u.oldest, u.every):
		return fmt.Sprintf("what the query reads is %s old, and was %s at most in the baseline", journal.Duration(age), journal.Duration(u.oldest))
	}
	return ""
}

// median is the middle value; of an even number the mean of the two in the middle.
func median(v []float64) float64 {
	sort.Float64s(v)
	n := len(v)
	lo, hi := v[(n-1)/2], v[n/2]
	if lo == hi {
		return lo
	}
	return lo/2 + hi/2 // the sum of two large numbers is infinite
}
