package report

// debrief leads up to the record of the debrief, with the questions that are not asked at the top.
func (f *facts) debrief() []Section {
	s := Section{ID: "debrief", Version: 1, Title: "Debrief record", People: true}
	_, rest := f.seeds()
	s.Items = append(s.Items, Para{say(cite(f.first, f.last), "For the debrief of the run of {}: the agenda that was used, attendance by role, and one thing that each learned.", Date(f.from))})
	out := []Section{s}
	for _, q := range rest {
		out = append(out, q.section("debrief"))
	}
	return out
}
