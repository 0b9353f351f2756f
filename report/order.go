package report

// A part is one entry of a draft's table of contents. What it makes are its section and the sections under it; none, where the run has
// nothing of that kind.
type part struct {
	id   string // of its section
	make func(*facts) []Section
}

// always makes a part of a section that every draft has.
func always(id string, make func(*facts) Section) part {
	return part{id, func(f *facts) []Section { return []Section{make(f)} }}
}

// order is the table of contents.
var order = []part{
	{"attention", func(f *facts) []Section {
		if s, needed := f.attention(); needed {
			return []Section{s}
		}
		return nil
	}},
	always("header", (*facts).header),
	always("five-lines", (*facts).fiveLines),
	{"known", (*facts).known},
	always("expected", (*facts).expectedAndObserved),
	always("surprised", (*facts).surprised),
	always("timeline", (*facts).timeline),
	always("detection", (*facts).detection),
	always("response", (*facts).response),
	always("impact", (*facts).impact),
	{"moved", (*facts).whatElseMoved},
	always("contributors", (*facts).contributors),
	always("held", (*facts).held),
	always("near-misses", (*facts).nearMisses),
	always("unverified", (*facts).unverified),
	always("perspectives", (*facts).perspectives),
	always("follow-ups", (*facts).followUps),
	always("next", (*facts).nextExperiments),
	{"debrief", (*facts).debrief},
	always("appendix", (*facts).appendix),
}
