package moved

import (
	"fmt"
	"math"
	"testing"
)

// A step of a counter ranks by how rarely counters step by themselves in this system, which the baseline says.
func TestStepsAgainstChance(t *testing.T) {
	tests := []struct {
		says          string
		fault, before int // metrics that step in each only
		longer        float64
		want          float64 // rank of each; 0: none is told
	}{
		{"nothing stepped in the baseline", 1, 0, 1, 0.75},
		{"many did in the fault", 8, 2, 1, 0.75 * 0.75},
		{"as many as in the baseline", 8, 8, 1, 0},
		{"one of each", 1, 1, 1, 0},
		{"a baseline of half the length says twice as much", 8, 2, 0.5, 0.75 * 0.5},
	}
	for _, tt := range tests {
		t.Run(tt.says, func(t *testing.T) {
			course := minutes
			course.Start = second(60 - 60*tt.longer)
			c := New(cut(t, course))
			for i := range tt.before {
				c.Add(series(fmt.Sprintf("background_%d_total", i), map[string]string{"instance": fmt.Sprint(i)}, counted(7, 45)))
			}
			for i := range tt.fault {
				c.Add(series(fmt.Sprintf("event_%d_total", i), map[string]string{"instance": fmt.Sprint(i)}, counted(7, 75)))
			}
			c.Add(series("in_flight", nil, phased(10, 40, 10)))
			steps := 0
			for i, m := range c.Movements() {
				switch {
				case m.By != Step:
					if m.Metric != "in_flight" || i != steps && m.Rank > 0.75 {
						t.Errorf("%d: %+v", i, m)
					}
				case math.Abs(m.Rank-tt.want) > 1e-9 || m.Rank != m.Size || m.Delta != 1:
					t.Errorf("%+v", m)
				default:
					steps++
				}
			}
			if want := tt.fault; tt.want > 0 && steps != want || tt.want == 0 && steps > 0 {
				t.Errorf("%d steps, want %d of rank %v", steps, want, tt.want)
			}
		})
	}
}

// A metric that steps on any target in the baseline does so by itself on others in the fault.
func TestStepsOfOneMetric(t *testing.T) {
	c := New(cut(t, minutes))
	at := func(i string) map[string]string { return map[string]string{"job": "member", "instance": i} }
	c.Add(series("leader_changes_total", at("a"), counted(1, 63)))
	c.Add(series("leader_changes_total", at("b"), counted(4, 64)))
	c.Add(series("leader_changes_total", at("c"), counted(2)))
	c.Add(series("collections_total", at("a"), counted(1, 20)))
	c.Add(series("collections_total", at("b"), counted(1, 70)))
	c.Add(series("failed_total", map[string]string{"job": "member", "instance": "b", "code": "1"}, counted(0, 70)))
	c.Add(series("failed_total", map[string]string{"job": "member", "instance": "b", "code": "2"}, counted(0, 70)))
	c.Add(series("failed_total", map[string]string{"job": "member", "instance": "b", "code": "3"}, grown(10, 90, 10)))
	got := ""
	for _, m := range c.Movements() {
		got += fmt.Sprintf("%s %s %s %d\n", m.Metric, m.Target["instance"], m.By, m.Series)
	}
	want := "failed_total b rate 1\nleader_changes_total a step 1\nleader_changes_total b step 1\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A single event leads to no place far behind all that moved on the same target.
func TestStepBesideManyMovements(t *testing.T) {
	c := New(cut(t, minutes))
	at := map[string]string{"job": "member"}
	for i := range 30 {
		c.Add(series(fmt.Sprintf("metric_%d", i), at, phased(10, 0, 10)))
	}
	c.Add(series("leader_changes_total", at, counted(1, 63)))
	for i, m := range c.Movements() {
		if m.By == Step && i >= 10 {
			t.Errorf("it is number %d", i+1)
		}
	}
}

// Without a recovery nobody knows whether a counter was reset since.
func TestStepWithoutARecovery(t *testing.T) {
	c := New(cut(t, Course{Start: second(0), Fault: second(60), Undo: second(120), End: second(121)}))
	c.Add(series("restarts_total", nil, counted(1, 80)))
	if m := c.Movements(); len(m) != 1 || m[0].Change != Moved || m[0].By != Step || m[0].Recovery.Bins != 0 || m[0].Recovery.Level != 0 {
		t.Errorf("%+v", m)
	}
}
