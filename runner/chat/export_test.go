package chat

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// exported is an export as Slack gives it out: the names stand in users.json, and a channel has a file for each day.
var exported = map[string]string{
	"channels.json":         `[{"id":"C1","name":"ops"},{"id":"C2","name":"random"}]`,
	"integration_logs.json": `[]`,
	"users.json": `[
		{"id":"USLACKBOT","name":"slackbot","real_name":"Slackbot","profile":{"real_name":"Slackbot"}},
		{"id":"U01","name":"priya.n","deleted":false,"is_bot":false,"profile":{"real_name":"Priya Nair","display_name":"priya","email":"priya.nair@corp.example"}},
		{"id":"U02","name":"tomw","is_bot":false,"profile":{"real_name":"Tom Weiss","display_name":""}},
		{"id":"U03","name":"grafana","is_bot":true,"profile":{"real_name":"Grafana"}}]`,
	"ops/2026-11-21.json": `[{"type":"message","user":"U02","text":"long before","ts":"1795305000.000100"}]`,
	"ops/2026-11-22.json": `[
		{"type":"message","subtype":"channel_join","user":"U02","text":"<@U02> has joined the channel","ts":"1795391390.000100"},
		{"client_msg_id":"a","type":"message","user":"U02","text":"<@U01> Grafana is red, <!subteam^S1|@db-team> <!subteam^S2> see <#C1|> and <#C2|random>","ts":"1795391401.000100","blocks":[]},
		{"type":"message","user":"U02","text":"Priya says slackbot is down, too","ts":"1795391402.000100","thread_ts":"1795391401.000100","parent_user_id":"U02"},
		{"subtype":"bot_message","text":"[FIRING]","username":"Grafana","type":"message","bot_id":"B1","ts":"1795391403.000100"}]`,
	"ops/canvas_in_the_conversation.json": `{}`,
	"random/2026-11-22.json":              `[{"type":"message","user":"U01","text":"lunch?","ts":"1795391400.000100"}]`,
}

func TestReadExport(t *testing.T) {
	top, below, one := fstest.MapFS{}, fstest.MapFS{}, fstest.MapFS{}
	for name, text := range exported {
		f := &fstest.MapFile{Data: []byte(text)}
		top[name], below["corp export Nov 21 - Nov 22 2026/"+name] = f, f
		if !strings.HasPrefix(name, "random/") {
			one[name] = f
		}
	}
	o := Options{Roles: Roles{"tom weiss": "sre"}, From: day.Add(-5 * time.Minute), To: day.Add(5 * time.Minute)}
	want := []string{
		"23:50:01 sre: @participant-1 Grafana is red, db-team (a group) see #C1 and #random",
		"23:50:02 sre: participant-1 says slackbot is down, too",
	}
	for what, c := range map[string]struct {
		export fstest.MapFS
		within string
	}{"a channel": {top, "ops"}, "with a sign": {top, "#ops"}, "a day": {top, "ops/2026-11-22.json"}, "the only channel": {one, ""}, "in a directory": {below, "ops"}} {
		res, err := ReadExport(c.export, c.within, o)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		var got []string
		for _, m := range res.Messages {
			got = append(got, m.At.Format("15:04:05 ")+m.Role+": "+m.Text)
		}
		if diff := cmp.Diff(want, got); diff != "" || res.Skipped != 2 || c.within != "ops/2026-11-22.json" && res.Outside != 1 {
			t.Errorf("%s: %d skipped, %d of another time\n%s", what, res.Skipped, res.Outside, diff)
		}
	}
	var several *ChannelsError
	_, err := ReadExport(top, "", o)
	if !errors.As(err, &several) || err.Error() != "the export has 2 channels; name the one in which the rehearsal was talked about; with how many messages of its time: ops (2), random (1)" {
		t.Error(err)
	}
	for within, says := range map[string]string{"opps": `the export has no messages of "opps"; its channels are ops, random`, "../ops": "is no channel's name", "*": "is no channel's name"} {
		if _, err := ReadExport(top, within, o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", within, err)
		}
	}
	if _, err := ReadExport(fstest.MapFS{"ops/2026-11-22.json": top["ops/2026-11-22.json"]}, "", o); err == nil || !strings.Contains(err.Error(), "it has no users.json at its top") {
		t.Error(err)
	}
}

func TestFindExport(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range exported {
		write("export/"+name, text)
	}
	write("alone.json", "[]")
	write("export/mine.json", "[]")
	z, err := os.Create(filepath.Join(dir, "export.zip"))
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(z)
	if err := w.AddFS(os.DirFS(filepath.Join(dir, "export"))); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"export": "", "export.zip": "", "export/ops": "ops", "export/ops/2026-11-22.json": "ops/2026-11-22.json"} {
		export, within, err := FindExport(filepath.Join(dir, name))
		if err != nil || export == nil || within != want {
			t.Errorf("%s: %q, %v", name, within, err)
			continue
		}
		if res, err := ReadExport(export, max(within, "ops"), Options{}); err != nil || len(res.Messages) < 2 {
			t.Errorf("%s: %d messages, %v", name, len(res.Messages), err)
		}
		export.Close()
	}
	for _, name := range []string{"alone.json", "export/mine.json", "none.json"} {
		if export, _, err := FindExport(filepath.Join(dir, name)); export != nil || err != nil {
			t.Errorf("%s: %v, %v", name, export, err)
		}
	}
	write("broken.zip", "not a zip")
	if _, _, err := FindExport(filepath.Join(dir, "broken.zip")); err == nil {
		t.Error("a file that is no archive is one")
	}
}
