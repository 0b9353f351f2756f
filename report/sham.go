package report

// sham says that the run injected nothing on purpose.
func (f *facts) sham() bool { return f.started.p.Sham }

// shamAlarm tells it before anything else, so that nobody takes the page for a rehearsal.
func (f *facts) shamAlarm() Alarm {
	a := Alarm{Title: "A sham run: nothing was injected, as intended"}
	if f.sham() {
		a.Sentences = append(a.Sentences, say([]string{f.started.id},
			"gameday followed the scenario's schedule and asked its questions, and left out its faults. What moved in this run moved by itself; nothing was tested."))
	}
	return a
}

// kind is what the run was, in the place of a heading.
func (f *facts) kind() string {
	if f.sham() {
		return "Sham run"
	}
	return "Rehearsal"
}
