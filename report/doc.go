// Package report turns the record of a run into the draft of its rehearsal postmortem: Markdown, HTML, JSON, JUnit and a few
// lines for the terminal.
//
// It is a pure function of the record. The machine writes evidence: every sentence is a template with typed values and the
// ids of the events and queries that it rests on. People write the meaning, and no byte of theirs is ever lost.
package report
