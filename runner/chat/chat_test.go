package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var day = time.Date(2026, 11, 22, 23, 50, 0, 0, time.UTC)

func texts(t *testing.T, format, in string, roles Roles) []string {
	t.Helper()
	res, err := Read([]byte(in), Options{Format: format, Roles: roles, Day: day})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range res.Messages {
		out = append(out, m.At.Format("02 15:04:05 ")+m.Role+": "+m.Text)
	}
	return out
}

func TestText(t *testing.T) {
	roles, err := ReadRoles([]byte("# roles\nJosé Núñez\tdba\nann\tsre\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := texts(t, "text", "\ufeff23:59:58 ann: bob's turn, not Bobby's; ANN out\r\n"+
		"[00:00:03] <@bob> hi @jose\n  and a second line\n"+
		"2026-11-22 23:59:59 Ann the disk 12:30 is full\n"+
		"2026-11-23T01:00:01+01:00 <Jose\u0301 Nu\u0301n\u0303ez> Núñez here, José too; will it hold? an.n\n", roles)
	want := []string{
		"22 23:59:58 sre: participant-1's turn, not Bobby's; sre out",
		"22 23:59:59 sre: the disk 12:30 is full",
		"23 00:00:01 dba: dba here, dba too; will it hold? an.n",
		"23 00:00:03 participant-1: hi @participant-2\n  and a second line",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSlack(t *testing.T) {
	got := texts(t, "slack", `[
		{"type":"message","user":"U1","text":"&lt;b&gt; <@U2> <!here> <#C1|shop> <https://x.invalid/a|the board>","ts":"1795391400.000001","user_profile":{"real_name":"Will Young","display_name":"will.y","first_name":"Will"}},
		{"type":"message","user":"U2","text":"will it hold, Will? will.y, write to w@x.invalid","ts":"1795391401.5","user_profile":{"display_name":"sam"}},
		{"type":"message","user":"U3","text":"I am the other sam","ts":"1795391402.5","user_profile":{"display_name":"sam"}},
		{"type":"message","bot_id":"B1","text":"alert","ts":"1795391403"}]`, nil)
	want := []string{
		"22 23:50:00 participant-1: <b> @participant-2 @here #shop the board (https://x.invalid/a)",
		"22 23:50:01 participant-2: will it hold, participant-1? participant-1, write to (an address)",
		"22 23:50:02 participant-3: I am the other participant-2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMistakes(t *testing.T) {
	for in, want := range map[string]string{
		"text\nno time here": "line 1 is not as lines are",
		"text\n\xff":         "not UTF-8",
		"slack\n{":           "this is no Slack export",
		`slack` + "\n" + `[{"user":"U1","ts":"x"}]`:  `message 1 of the Slack export: ts is "x"`,
		`slack` + "\n" + `[{"user":"U1","ts":"-1"}]`: "which is no time",
		`slack` + "\n" + `{"users":3}`:               "neither a list nor a map",
		"irc\n":                                      `there is no format "irc"; the formats are slack and text`,
	} {
		format, body, _ := strings.Cut(in, "\n")
		if _, err := Read([]byte(body), Options{Format: format, Day: day}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
	for in, want := range map[string]string{"ann sre": "line 1 is no name", "a\tx\na\ty": `line 2 gives somebody the role "y" who has "x"`} {
		if _, err := ReadRoles([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

// Whatever people are called and write, none of their names stands in what is returned; a longer export of the same chat has the same messages with
// the same roles and keys.
func TestNamesAreGone(t *testing.T) {
	first := []string{"Quorlan", "Zéphyrin", "Brunhild", "Ödön", "Wexley"}
	last := []string{"Trumbull", "O'Grady", "Łukasz", "vonStrand", "Nguyễn"}
	rapid.Check(t, func(t *rapid.T) {
		type user struct{ id, nick, real string }
		var users []user
		for i := range rapid.IntRange(1, 4).Draw(t, "users") {
			users = append(users, user{fmt.Sprintf("U%d77", i), fmt.Sprintf("nick%c%c", 'a'+i, 'q'+i), first[i] + " " + last[rapid.IntRange(0, 4).Draw(t, "last")]})
		}
		word := rapid.SampledFrom([]string{"the", "queue", "is", "down", "(", ")", ",", "!", "?", "\n", "—", "“", "a_b"})
		var messages []map[string]any
		for i := range rapid.IntRange(1, 6).Draw(t, "messages") {
			var text strings.Builder
			for range rapid.IntRange(0, 8).Draw(t, "words") {
				u := rapid.SampledFrom(users).Draw(t, "mentioned")
				text.WriteString(rapid.SampledFrom([]string{"<@" + u.id + ">", "@" + u.nick, u.nick, strings.ToUpper(u.nick), u.real, strings.Fields(u.real)[0],
					strings.Fields(u.real)[1] + "'s", u.nick + "@corp.example", word.Draw(t, "word"), word.Draw(t, "word")}).Draw(t, "piece"))
				text.WriteString(rapid.SampledFrom([]string{" ", ", ", "; ", "\n"}).Draw(t, "gap"))
			}
			u := rapid.SampledFrom(users).Draw(t, "user")
			messages = append(messages, map[string]any{"user": u.id, "text": text.String(), "ts": fmt.Sprintf("17953914%02d.%06d", i/2, i),
				"user_profile": map[string]string{"name": u.nick, "real_name": u.real}})
		}
		read := func(messages []map[string]any) []Message {
			profiles := map[string]map[string]string{}
			for _, u := range users {
				profiles[u.id] = map[string]string{"name": u.nick, "real_name": u.real}
			}
			b, err := json.Marshal(map[string]any{"users": profiles, "messages": messages})
			if err != nil {
				t.Fatal(err)
			}
			res, err := Read(b, Options{Format: "slack", Roles: Roles{fold(users[0].real): "sre"}, Day: day})
			if err != nil {
				t.Fatal(err)
			}
			return res.Messages
		}
		all := read(messages)
		for _, m := range all {
			shown := strings.ToLower(m.Text + " " + m.Role)
			for _, u := range users {
				for _, name := range append(strings.Fields(u.real), u.id, u.nick) {
					if strings.Contains(shown, strings.ToLower(name)) {
						t.Fatalf("%q stands in %q", name, shown)
					}
				}
			}
		}
		n := rapid.IntRange(0, len(messages)).Draw(t, "shorter")
		short := read(messages[:n])
		for _, m := range short {
			found := false
			for _, x := range all {
				found = found || x == m
			}
			if !found {
				t.Fatalf("%+v is not in the longer export: %+v", m, all)
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add("23:59:58 ann: bob's turn", true)
	f.Add("[00:00:03] <@bob> hi @jose\nand more", true)
	f.Add(`[{"user":"U1","text":"<@U2> <!here|x> <https://x|y>","ts":"1795391400.000001","user_profile":{"real_name":"Will Young"}}]`, false)
	f.Add(`{"users":[{"id":"U1","profile":{"display_name":"x y"}}],"messages":[]}`, false)
	f.Fuzz(func(t *testing.T, in string, text bool) {
		format := "slack"
		if text {
			format = "text"
		}
		res, err := Read([]byte(in), Options{Format: format, Day: day, From: day.Add(-time.Hour), To: day.Add(time.Hour)})
		if err != nil {
			return
		}
		for _, m := range res.Messages {
			if m.Role == "" || m.Key == "" || strings.TrimSpace(m.Text) == "" || m.At.Before(day.Add(-time.Hour)) || m.At.After(day.Add(time.Hour)) {
				t.Errorf("%+v", m)
			}
		}
	})
}
