package runner

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
)

func faultBlock(name, arguments string) string {
	return fmt.Sprintf("fault \"pause\" %q {\n%s\n}\n", name, arguments)
}

func TestSchedule(t *testing.T) {
	for _, tt := range []struct{ says, blocks, want, span string }{
		{"at once", faultBlock("a", "target = target.x\nduration = \"10s\""), "a 0s-10s", "0s-10s"},
		{"start counts from the end of the baseline", faultBlock("a", "target = target.x\nstart = \"5s\"\nduration = \"10s\""), "a 5s-15s", "5s-15s"},
		{"ordered by time", faultBlock("late", "target = target.x\nstart = \"5s\"\nduration = \"10s\"") + faultBlock("early", "target = target.y\nduration = \"30s\""),
			"early 0s-30s, late 5s-15s", "0s-30s"},
		{"with after, start counts from that fault's end", faultBlock("c", "target = target.x\nafter = fault.b\nduration = \"1s\"") +
			faultBlock("b", "target = target.x\nafter = fault.a\nstart = \"15s\"\nduration = \"20s\"") + faultBlock("a", "target = target.x\nstart = \"2s\"\nduration = \"10s\""),
			"a 2s-12s, b 27s-47s, c 47s-48s", "2s-48s"},
		{"equal starts keep the order of the file", faultBlock("b", "target = target.x\nduration = \"1s\"") + faultBlock("a", "target = target.y\nduration = \"1s\""),
			"b 0s-1s, a 0s-1s", "0s-1s"},
		{"a fault without a duration", "fault \"crash\" \"a\" {\ntarget = target.x\nstart = \"3s\"\n}\n" + faultBlock("b", "target = target.y\nafter = fault.a\nduration = \"1s\""),
			"a 3s-3s, b 3s-4s", "3s-4s"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			faults := schedule(load(t, tt.blocks).Faults)
			var got []string
			for _, f := range faults {
				got = append(got, fmt.Sprintf("%s %s-%s", f.Fault.Name, f.Start, f.End()))
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("scheduled %v, want %s", got, tt.want)
			}
			first, last := span(faults)
			if s := fmt.Sprintf("%s-%s", first, last); s != tt.span {
				t.Errorf("they span %s, want %s", s, tt.span)
			}
		})
	}
}

func TestConflicts(t *testing.T) {
	process, memory := inject.Claim{Thing: "its main process"}, inject.Claim{Thing: "its memory limit"}
	for _, tt := range []struct {
		says   string
		a, b   [2]time.Duration // start and duration
		same   bool             // the same container
		needs  inject.Claim     // what b needs; a needs the main process
		expect bool
	}{
		{"one within the other", [2]time.Duration{0, 10}, [2]time.Duration{5, 2}, true, process, true},
		{"on another container", [2]time.Duration{0, 10}, [2]time.Duration{5, 2}, false, process, false},
		{"over nothing", [2]time.Duration{0, 10}, [2]time.Duration{5, 2}, true, memory, false},
		{"one after the other", [2]time.Duration{0, 10}, [2]time.Duration{10, 2}, true, process, false},
		{"at the same time", [2]time.Duration{3, 10}, [2]time.Duration{3, 10}, true, process, true},
		{"two without a duration at the same time", [2]time.Duration{3, 0}, [2]time.Duration{3, 0}, true, process, true},
		{"one without a duration in the other", [2]time.Duration{0, 10}, [2]time.Duration{3, 0}, true, process, true},
	} {
		t.Run(tt.says, func(t *testing.T) {
			sc := load(t, faultBlock("a", "target = target.x\nduration = \"1s\"")+faultBlock("b", "target = target.y\nduration = \"1s\""))
			faults := schedule(sc.Faults)
			for i, when := range [][2]time.Duration{tt.a, tt.b} {
				faults[i].Start, faults[i].Fault.Duration = when[0], when[1]
				id, claim := "1", process
				if i == 1 {
					claim = tt.needs
					if !tt.same {
						id = "2"
					}
				}
				faults[i].Steps = []inject.Step{{Container: engine.Container{ID: id, Name: "shop-" + id}, Claims: []inject.Claim{claim}}}
			}
			got := conflicts(faults)
			if (len(got) > 0) != tt.expect {
				t.Errorf("conflicts are %v", got)
			}
			if len(got) > 0 && (got[0].container != "shop-1" || got[0].a.Fault.Name != "a" || got[0].b.Fault.Name != "b" || got[0].over != "its main process") {
				t.Errorf("the conflict is %+v", got[0])
			}
		})
	}
}

// The containers of one fault each have what is theirs, but for what lies outside them.
func TestSharedWithinAFault(t *testing.T) {
	step := func(id string, claims ...inject.Claim) inject.Step {
		return inject.Step{Container: engine.Container{ID: id, Name: "shop-" + id}, Claims: claims}
	}
	own := inject.Claim{Thing: "its main process"}
	volume := inject.Claim{Thing: "the space in the volume data", On: "data"}
	for _, tt := range []struct {
		steps []inject.Step
		want  string
	}{
		{[]inject.Step{step("1", own), step("2", own)}, ""},
		{[]inject.Step{step("1", volume)}, ""},
		{[]inject.Step{step("1", own), step("2", own, volume), step("3", volume)}, "the space in the volume data"},
	} {
		a, b, over := PlannedFault{Steps: tt.steps}.shared()
		if over != tt.want || over != "" && (a.Name != "shop-2" || b.Name != "shop-3") {
			t.Errorf("%s and %s share %q, want %q", a.Name, b.Name, over, tt.want)
		}
	}
}
