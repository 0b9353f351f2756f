package scenarios

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// parse returns the condition of a hypothesis.
func parseCondition(t testing.TB, text string) *Condition {
	t.Helper()
	path := write(t, t.TempDir(), "a.gameday.hcl", small(fmt.Sprintf(`
variable "limit" {
  default = 0.1
}

locals {
  by_code = { "500" = 1, other = 2 }
}

prometheus "own" {}

scenario "s" {
  hypothesis "h" {
    query  = "up"
    expect = %s
  }

  fault "kill" "k" {
    target = target.api
  }
}
`, text)))
	ws, ds := Load(path, Options{Env: noEnv})
	if ws == nil {
		t.Fatalf("%s:\n%s", text, view(ds))
	}
	return ws.Scenarios[0].Hypotheses[0].Expect
}

func TestConditions(t *testing.T) {
	two := 2.0
	zero := 0.0
	for _, c := range []struct {
		text  string
		in    Input
		ok    bool
		op    string
		bound float64
	}{
		{"value < 1", Input{Value: 0.5}, true, "<", 1},
		{"value < 1", Input{Value: 1}, false, "<", 1},
		{"1 > value", Input{Value: 0.5}, true, "<", 1},
		{"1 <= value", Input{Value: 0.5}, false, ">=", 1},
		{"(value) >= (1)", Input{Value: 1}, true, ">=", 1},
		{"value == 1", Input{Value: 1}, true, "==", 1},
		{"value != 1", Input{Value: 1}, false, "!=", 1},
		{"value * 3 <= 0.3", Input{Value: 0.1}, true, "<=", 0.1},
		{"value <= var.limit", Input{Value: 0.1}, true, "<=", 0.1},
		{"value < 1.5 * baseline", Input{Value: 2.9, Baseline: &two}, true, "<", 3},
		{"value / baseline < 1.5", Input{Value: 2.9, Baseline: &two}, true, "<", 3},
		{"value - baseline < 1", Input{Value: 2.9, Baseline: &two}, true, "<", 3},
		{"baseline - value < 1", Input{Value: 2.9, Baseline: &two}, true, ">", 1},
		{"-value > -3", Input{Value: 2}, true, "<", 3},
		{"-2 * value + 1 < 5", Input{Value: 0}, true, ">", -2},
		{"value * 0 < 1", Input{Value: 0}, true, "", 0},
		{"1 / value < 1", Input{Value: 2}, true, "", 0},
		{"value > 1 && value < 3", Input{Value: 2}, true, "", 0},
		{"!(value > 1)", Input{Value: 2}, false, "", 0},
		{"value > value - 1", Input{Value: 2}, true, "", 0},
		{"abs(value) < 3", Input{Value: -2}, true, "", 0},
		{"value < 10", Input{Value: math.Inf(1)}, false, "<", 10},
		{"value > 10", Input{Value: math.Inf(-1)}, false, ">", 10},
		{"value < 1e308", Input{Value: math.MaxFloat64}, false, "<", 1e308},
		{"value > 0", Input{Value: math.SmallestNonzeroFloat64}, true, ">", 0},
		{`labels.code == "500" ? value < 1 : value < 2`, Input{Value: 1.5, Labels: map[string]string{"code": "200"}}, true, "", 0},
		{`value < local.by_code[labels.code]`, Input{Value: 1.5, Labels: map[string]string{"code": "500"}}, false, "<", 1},
		{`baseline == 0 ? value < 1 : value / baseline < 1`, Input{Value: 0.5, Baseline: &zero}, true, "", 0},
	} {
		cond := parseCondition(t, c.text)
		j, err := cond.Eval(c.in)
		if err != nil || j.OK != c.ok || j.Op != c.op {
			t.Errorf("%s: %+v, %v", c.text, j, err)
			continue
		}
		if (j.Bound != nil) != (c.op != "") || j.Bound != nil && *j.Bound != c.bound {
			t.Errorf("%s: bound %v, want %v", c.text, j.Bound, c.bound)
		}
		if cond.String() != c.text {
			t.Errorf("%s is shown as %s", c.text, cond)
		}
		if cond.UsesBaseline() != strings.Contains(c.text, "baseline") || cond.UsesLabels() != strings.Contains(c.text, "labels") {
			t.Errorf("%s: uses", c.text)
		}
	}
}

func TestConditionErrors(t *testing.T) {
	zero, nan := 0.0, math.NaN()
	for _, c := range []struct {
		text string
		in   Input
		want string
	}{
		{"value < 1", Input{Value: nan}, `cannot judge "value < 1": the value is NaN, which is no number and cannot be compared (value = NaN)`},
		{"value < baseline", Input{Value: 1}, `cannot judge "value < baseline": the baseline of this series is not known (baseline = not known, value = 1)`},
		{"value < baseline", Input{Value: 1, Baseline: &nan}, `cannot judge "value < baseline": the baseline of this series is NaN, which is no number and cannot be compared (baseline = NaN, value = 1)`},
		{"value / baseline < var.limit", Input{Value: 1, Baseline: &zero}, `division by zero. (baseline = 0, value = 1, var.limit = 0.1)`},
		{"value % baseline < 1", Input{Value: 1, Baseline: &zero}, `division by zero. (baseline = 0, value = 1)`},
		{`labels.code == "x" || value < 1`, Input{Value: 3, Labels: map[string]string{"b": "2", "a": "1"}}, `(labels = {a="1", b="2"}, value = 3)`},
		{"value - baseline < 1", Input{Value: math.Inf(1), Baseline: ptr(math.Inf(1))}, `(baseline = +Inf, value = +Inf)`},
	} {
		_, err := parseCondition(t, c.text).Eval(c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

func ptr(f float64) *float64 { return &f }

// TestConditionAgreesWithFloats: for every value that is no NaN a comparison says what the floats say.
func TestConditionAgreesWithFloats(t *testing.T) {
	conditions := map[string]*Condition{}
	for _, op := range []string{"<", "<=", ">", ">=", "==", "!="} {
		conditions[op] = parseCondition(t, "value "+op+" baseline")
	}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Float64().Draw(t, "value")
		bound := rapid.Float64().Draw(t, "bound")
		if rapid.Bool().Draw(t, "same") {
			bound = value
		}
		for op, c := range conditions {
			j, err := c.Eval(Input{Value: value, Baseline: &bound})
			if math.IsNaN(value) || math.IsNaN(bound) {
				if err == nil {
					t.Fatal("a NaN was judged")
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]bool{"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound,
				"==": value == bound, "!=": value != bound}[op]
			if j.OK != want {
				t.Fatalf("%v %s %v: %v", value, op, bound, j.OK)
			}
			if !math.IsInf(bound, 0) && (j.Op != op || *j.Bound != bound) {
				t.Fatalf("%v %s %v: bound %s %v", value, op, bound, j.Op, j.Bound)
			}
		}
	})
}

// TestBoundIsTheCondition: where a bound is given, "value Op Bound" says the same as the condition.
func TestBoundIsTheCondition(t *testing.T) {
	c := parseCondition(t, "3 - value * baseline / 2 <= var.limit")
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Float64Range(-1e6, 1e6).Draw(t, "value")
		base := rapid.Float64Range(-1e6, 1e6).Draw(t, "baseline")
		j, err := c.Eval(Input{Value: value, Baseline: &base})
		if err != nil {
			t.Fatal(err)
		}
		if j.Bound == nil || math.Abs(value-*j.Bound) <= 1e-9*math.Abs(*j.Bound) {
			return // on the bound itself rounding decides
		}
		if want := map[string]bool{">=": value >= *j.Bound, "<=": value <= *j.Bound}[j.Op]; want != j.OK {
			t.Fatalf("value %v baseline %v: %v, but value %s %v", value, base, j.OK, j.Op, *j.Bound)
		}
	})
}

func BenchmarkCondition(b *testing.B) {
	c := parseCondition(b, "value < 1.5 * baseline")
	base := 2.0
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Eval(Input{Value: 1, Baseline: &base}); err != nil {
			b.Fatal(err)
		}
	}
}
