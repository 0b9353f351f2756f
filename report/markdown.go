package report

import (
	"bytes"
	"fmt"
	"strings"
)

// Markdown is the draft as report.md holds it when nobody has written into it yet. It panics on a sentence without evidence,
// which a draft made by Build never has.
func (d *Draft) Markdown() []byte { return freshMarkdown(d.blocks()) }

// blocks are the sections as Markdown, each with the id under which it is found again.
func (d *Draft) blocks() []block {
	var out []block
	for _, s := range d.Sections {
		var b bytes.Buffer
		if s.ID == "header" {
			fmt.Fprintf(&b, "# %s: %s\n\n", d.facts.kind(), escapeMarkdown(visible(d.Title)))
		}
		if s.Title != "" {
			fmt.Fprintf(&b, "## %s\n\n", escapeMarkdown(s.Title))
		}
		for _, item := range s.Items {
			d.markdownItem(&b, item)
		}
		if s.ID == "appendix" {
			for _, e := range d.Index.Events {
				fmt.Fprintf(&b, "[%s]: #%s\n", e.ID, anchor(e.ID))
			}
			for _, q := range d.Index.Queries {
				fmt.Fprintf(&b, "[%s]: #%s\n", q.ID, anchor(q.ID))
			}
		}
		out = append(out, block{id: s.ID, version: s.Version, seed: s.Seed, body: strings.TrimRight(b.String(), "\n") + "\n"})
	}
	return out
}

func anchor(id string) string { return strings.ToLower(id) }

func (d *Draft) markdownItem(b *bytes.Buffer, item Item) {
	switch i := item.(type) {
	case Heading:
		fmt.Fprintf(b, "### %s", d.md(i.Text, false))
		if i.Verdict != "" {
			fmt.Fprintf(b, " — **%s**", i.Verdict)
		}
		b.WriteString("\n\n")
	case Words:
		b.WriteString(i.quoted(d))
	case Para:
		b.WriteString(d.mdSentences(i) + "\n\n")
	case Ask:
		b.WriteString("**Question.** " + d.mdSentences([]Sentence{Sentence(i)}) + "\n\n")
	case Points:
		for _, p := range i {
			b.WriteString("- " + d.mdSentences(p) + "\n")
		}
		b.WriteString("\n")
	case Alarm:
		level := "WARNING"
		if i.Urgent {
			level = "CAUTION"
		}
		fmt.Fprintf(b, "> [!%s]\n> **%s**\n>\n", level, i.Title)
		for _, s := range i.Sentences {
			b.WriteString("> - " + d.mdSentences([]Sentence{s}) + "\n")
		}
		b.WriteString("\n")
	case Facts:
		b.WriteString("| | | Evidence |\n|---|---|---|\n")
		for _, r := range i {
			d.mdRow(b, r)
		}
		b.WriteString("\n")
	case Table:
		d.mdTable(b, i)
	case *Chart:
		fmt.Fprintf(b, "%s The chart is in [report.html](report.html#%s).\n\n", d.mdSentences([]Sentence{i.Text}), i.ID)
	case *Lanes:
		// The table that follows says the same.
	}
}

func (d *Draft) mdTable(b *bytes.Buffer, t Table) {
	columns := append([]string{}, t.Columns...)
	if !t.Index {
		columns = append(columns, "Evidence")
	}
	b.WriteString("| " + strings.Join(columns, " | ") + " |\n|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, r := range t.Rows {
		if !t.Index {
			d.mdRow(b, r)
			continue
		}
		id := r.Evidence[0]
		fmt.Fprintf(b, "| <a id=\"%s\"></a>%s |", anchor(id), id)
		for _, c := range r.Cells {
			b.WriteString(" " + d.md(c, true) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func (d *Draft) mdRow(b *bytes.Buffer, r Row) {
	b.WriteString("|")
	for _, c := range r.Cells {
		b.WriteString(" " + d.md(c, true) + " |")
	}
	b.WriteString(" " + mdCitations(r.Evidence) + " |\n")
}

func (d *Draft) mdSentences(list []Sentence) string {
	var parts []string
	for _, s := range list {
		parts = append(parts, d.md(s.phrase(), false)+" "+mdCitations(s.Evidence))
	}
	return strings.Join(parts, " ")
}

func mdCitations(ids []string) string {
	if len(ids) == 0 {
		panic("a sentence without evidence")
	}
	return "[" + strings.Join(ids, "] [") + "]"
}

// md sets a phrase as one line of Markdown.
func (d *Draft) md(p Phrase, inTable bool) string {
	var b strings.Builder
	for _, x := range p.pieces(d.Clock) {
		text := visible(x.text)
		switch x.style {
		case name, quote, command:
			b.WriteString(codeSpan(text, inTable))
		case prose:
			b.WriteString(escapeMarkdown(text))
		case link:
			b.WriteString("[" + escapeMarkdown(text) + "](<" + x.to + ">)")
		case verdict:
			b.WriteString("**" + text + "**")
		default:
			b.WriteString(text)
		}
	}
	return b.String()
}

// codeSpan sets text so that nothing in it is read as Markdown: between more backticks than it has in a row. The text is on
// one line already. In a table a bar ends a cell even in code, so it is escaped there.
func codeSpan(s string, inTable bool) string {
	if strings.TrimSpace(s) == "" {
		return "(empty)"
	}
	if inTable {
		if strings.Contains(s, `\`) && strings.Contains(s, "|") {
			// Whether a backslash before an escaped bar is kept differs between readers; text is safe in all.
			return escapeMarkdown(s)
		}
		s = strings.ReplaceAll(s, "|", `\|`)
	}
	run, longest := 0, 0
	for _, r := range s {
		if run++; r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if s[0] == '`' || s[len(s)-1] == '`' || s[0] == ' ' && s[len(s)-1] == ' ' {
		s = " " + s + " "
	}
	return fence + s + fence
}

// escapeMarkdown sets text from outside as plain text within a line.
func escapeMarkdown(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\', '`', '*', '_', '[', ']', '<', '>', '|', '~', '&', '#', '$', '@', '!', '{', '}':
			b.WriteByte('\\')
			b.WriteByte(c)
		case ':':
			if strings.HasPrefix(s[i:], "://") {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		case '.':
			if i >= 3 && strings.EqualFold(s[i-3:i], "www") {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
