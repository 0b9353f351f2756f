package report

import (
	"regexp"
	"strings"
	"time"
	"unicode"

	"gameday/runner/journal"
)

// surpriseNotes are the notes with which somebody called something a surprise.
func (f *facts) surpriseNotes() []spoken[*journal.Note] {
	var out []spoken[*journal.Note]
	for _, n := range f.notes {
		if n.p.As == journal.NoteSurprise {
			out = append(out, n)
		}
	}
	return out
}

// surprisedAt says that somebody noted a surprise about a moment, or within a minute of it.
func (f *facts) surprisedAt(t time.Time) bool {
	for _, n := range f.surpriseNotes() {
		if !t.IsZero() && about(n).Sub(t).Abs() <= time.Minute {
			return true
		}
	}
	return false
}

// askPredictions asks about what roles expected opposite outcomes of.
func (f *facts) askPredictions() []Question {
	var out []Question
	ask := func(name string, alert bool, now journal.Verdict, rests []string) {
		var held, refuted List
		var ids []string
		for _, p := range f.predictionsOf(name, alert) {
			switch p.p.Expects {
			case journal.Held:
				held = append(held, roleName(p.role))
			case journal.Refuted:
				refuted = append(refuted, roleName(p.role))
			default:
				continue
			}
			ids = append(ids, p.id)
		}
		if len(held) == 0 || len(refuted) == 0 {
			return
		}
		q := Question{Of: name, Text: say(append(ids, rests...), "Of {} before the fault: {} expected {}, and {} expected {}; it is {}. What does each know of this part that the other does not?",
			Name(name), held, Verdict(journal.Held), refuted, Verdict(journal.Refuted), Verdict(now))}
		if f.seal != nil {
			q.At = f.seal.at
		}
		out = append(out, q)
	}
	for _, h := range f.hypotheses {
		ask(h.Name, false, h.verdict, h.rests)
	}
	for _, x := range f.claimed() {
		ask(x.name, true, x.verdict, x.rests)
	}
	return out
}

// silence is for how long nothing is noted before it is worth a question, and a row in the timeline.
const silence = 3 * time.Minute

// askSilence asks about a time between the first effect and the end in which nothing was noted, while a claim stopped or began to hold.
func (f *facts) askSilence() []Question {
	from, _, _ := f.harm()
	if from.IsZero() || len(f.notes) == 0 {
		return nil
	}
	var out []Question
	since, id := from, f.firstEffect()
	quiet := func(until time.Time, next string) {
		if until.Sub(since) <= silence {
			return
		}
		for _, h := range f.hypotheses {
			for _, s := range h.states {
				at := s.p.At
				if at.IsZero() {
					at = s.at
				}
				if at.Before(since) || at.After(until) || s.p.Point == nil || s.p.From == s.p.To {
					continue
				}
				out = append(out, Question{Of: h.Name, At: since, Text: say(cite(id, next, s.id), "Nothing was noted from {} to {}, {}, while {} went from {} to {}: {}. What was happening on the call?",
					At(since), At(until), Span{From: since, To: until}, Name(h.Name), Name(s.p.From), Name(s.p.To), against(s.p.Point))})
				return
			}
		}
	}
	for _, w := range f.words { // by when they were said, whatever they speak of
		if w.at.After(since) && w.at.Before(f.to) {
			quiet(w.at, w.id)
			since, id = w.at, w.id
		}
	}
	quiet(f.to, f.last)
	return out
}

// askActions asks about the last step that somebody noted before a claim held for good.
func (f *facts) askActions() []Question {
	const near = 2 * time.Minute
	from, _, _ := f.harm()
	if from.IsZero() {
		return nil
	}
	var out []Question
	for _, h := range f.hypotheses {
		good := h.goodFrom()
		if good.IsZero() {
			continue
		}
		var last *spoken[*journal.Note]
		for i := range f.notes {
			if n := &f.notes[i]; n.p.As == journal.NoteAction && about(*n).After(from) && !about(*n).After(good) && good.Sub(about(*n)) <= near {
				last = n
			}
		}
		if last == nil {
			continue
		}
		at, what := about(*last), Value(Quote(last.p.Text))
		if last.p.Text == leftOut {
			what = Word("A step was taken")
		}
		out = append(out, Question{Of: h.Name, At: at, Text: say(append([]string{last.id}, h.rests...), "{}, by {} at {}; {} held for good from {}, {} later. What spoke for that step, and what else was on the table?",
			what, roleName(last.role), At(at), Name(h.Name), At(good), Span{From: at, To: good})})
	}
	return out
}

// takesBack finds what people write of an action that takes back an earlier one.
var takesBack = regexp.MustCompile(`(?i)\b(undo(es|ing|ne)?|undid|revert(s|ed|ing)?|revers(e|es|ed|ing)|roll-?backs?|` +
	`(roll|put|set|switch|turn|scal|tak|took|mov|chang)(s|e|es|ed|ing|ting)?\s+([^\s.;:!?]+\s+){0,4}back|back(s|ed|ing)\s+([^\s.;:!?]+\s+){0,4}out)\b`)

// askTakenBack asks about an action that a later one takes back. Both are quoted, so that nothing is claimed of either.
func (f *facts) askTakenBack() []Question {
	var out []Question
	var actions []spoken[*journal.Note]
	for _, n := range f.notes {
		if n.p.As != journal.NoteAction {
			continue
		}
		if before := takenBack(n, actions); before != nil {
			out = append(out, Question{Of: n.id, At: about(*before), Text: say([]string{before.id, n.id}, "{}, by {} at {}; {} later, by {}: {}. What changed the picture?",
				Quote(before.p.Text), roleName(before.role), At(about(*before)), Span{From: about(*before), To: about(n)}, roleName(n.role), Quote(n.p.Text))})
		}
		actions = append(actions, n)
	}
	return out
}

// takenBack is the action that another one takes back: the one that it is keyed to, or else the last that speaks of the same thing; nil: none.
func takenBack(n spoken[*journal.Note], actions []spoken[*journal.Note]) *spoken[*journal.Note] {
	if !takesBack.MatchString(n.p.Text) {
		return nil
	}
	var same *spoken[*journal.Note]
	for i := range actions {
		before := &actions[i]
		if before.id == n.p.On {
			return before
		}
		if sameThing(before.p.Text, n.p.Text) {
			same = before
		}
	}
	return same
}

// noThing are words of three letters and more that name nothing, or the taking back itself.
var noThing = regexp.MustCompile(`^(the|and|for|with|from|into|onto|over|that|this|then|than|was|were|has|had|have|did|done|our|its|all|one|two|now|again|also|only|back|out|put|set|undid|undo|undone|undoing|` +
	`revert\w*|revers\w*|roll\w*|tak\w*|took|turn\w*|switch\w*|chang\w*|mov\w*)$`)

// sameThing says that two texts have a word in common that names something; "restart" and "restarted" are the same.
func sameThing(a, b string) bool {
	split := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	things := strings.FieldsFunc(strings.ToLower(a), split)
	for _, x := range strings.FieldsFunc(strings.ToLower(b), split) {
		for _, y := range things {
			if min(len(x), len(y)) >= 3 && !noThing.MatchString(x) && !noThing.MatchString(y) && (strings.HasPrefix(x, y) || strings.HasPrefix(y, x)) {
				return true
			}
		}
	}
	return false
}

// goodFrom is from when on a claim that had been broken held for good; zero: it was not, or did not.
func (h *hypothesis) goodFrom() time.Time {
	if h.judged == nil {
		return time.Time{}
	}
	if r := h.judged.p.RecoveredBeforeUndo; r != nil {
		return r.First
	}
	if a := h.judged.p.HeldAgain; a != nil && a.AtMost > 0 {
		return a.First
	}
	return time.Time{}
}

func (f *facts) askChanged() []Question {
	var out []Question
	for _, c := range f.changedVerdicts() {
		what := Value(Name(c.name))
		if c.alert {
			what = Inner(words("the claim about alert {}", Name(c.name)))
		}
		out = append(out, Question{Of: c.name, Text: say(c.rests, "On {} {} was {}, and in this run it is {}. What has changed, including what nobody would call a change?",
			Date(c.run.Started), what, Verdict(c.then), Verdict(c.now))})
	}
	return out
}

func (f *facts) askFollowUps() []Question {
	var out []Question
	if f.audience == journal.AudiencePublic {
		return nil // which does not read what was agreed on
	}
	for _, u := range f.openFollowUps() {
		out = append(out, Question{Of: u.Action, Text: say([]string{f.earlier.id}, "{}, agreed on after the run of {}, was open when this run began. Did it matter today? Is it still worth doing?", Quote(u.Action), Date(u.Started))})
	}
	return out
}
