package report

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "embed"
)

//go:embed testdata/look.js
var look string

// The pages are opened in a real browser, narrow and wide, light and dark, and looked at as a person and a screen reader would.
func TestPagesInBrowser(t *testing.T) {
	asked := askedDraft()
	pages := map[string][]byte{}
	for name, d := range map[string]*Draft{"peopled": asked, "noted": Build(stories()["noted"]), "crowded": Build(stories()["crowded"]), "faults": manyFaults(), "hundred": Build(stories()["hundred"]), "hostile": Build(stories()["hostile"]), "residue": Build(stories()["residue"]), "alert_missing": Build(stories()["alert_missing"])} {
		markdown := string(d.Markdown())
		if d == asked {
			markdown = peopled(d)
		}
		page, err := d.Page([]byte(markdown))
		if err != nil {
			t.Fatal(err)
		}
		pages[name] = page
	}
	b := startBrowser(t)
	dir := t.TempDir()
	for name, page := range pages {
		path := filepath.Join(dir, name+".html")
		if err := os.WriteFile(path, page, 0o644); err != nil {
			t.Fatal(err)
		}
		b.open("file://" + (&url.URL{Path: path}).EscapedPath())
		for _, width := range []int{360, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				b.see(width, "screen", scheme)
				for _, what := range b.eval(look) {
					t.Errorf("%s, %d px, %s: %s", name, width, scheme, what)
				}
			}
		}
		b.see(700, "print", "light") // about what A4 leaves between its margins
		for _, what := range b.eval(look) {
			t.Errorf("%s, print: %s", name, what)
		}
		pdf := b.call("Page.printToPDF", map[string]any{"printBackground": false})
		var out struct{ Data string }
		if err := json.Unmarshal(pdf, &out); err != nil {
			t.Fatal(err)
		}
		if doc, err := base64.StdEncoding.DecodeString(out.Data); err != nil || !strings.HasPrefix(string(doc), "%PDF-") || len(doc) < 20_000 {
			t.Errorf("%s: printing gives %d bytes, %v", name, len(doc), err)
		}
	}
	for _, what := range b.complaints {
		t.Errorf("the browser says: %s", what)
	}
	if len(b.loaded) != len(pages) {
		t.Errorf("the browser loaded %q, want the pages alone", b.loaded)
	}
}

// manyFaults is a draft whose drawings have faults that follow one another closely, and one that is open at the end.
func manyFaults() *Draft {
	d := Build(stories()["crowded"])
	for _, s := range d.Sections {
		for _, item := range s.Items {
			c, ok := item.(*Chart)
			if !ok || len(c.Faults) == 0 {
				continue
			}
			from := c.Faults[0].From
			c.Faults = nil
			for i, name := range []string{"the_store_is_slow", "the_store_freezes_for_good", "the_queue_is_cut_off_from_it", "the_api_is_short_of_memory"} {
				at := from.Add(time.Duration(i) * 7 * time.Second)
				c.Faults = append(c.Faults, Band{Label: name, From: at, To: at.Add(5 * time.Second)})
			}
			c.Faults[3].Open = true
		}
	}
	return d
}

// A browser is a Chromium that is driven over its DevTools protocol, whose messages go through two pipes.
type browser struct {
	t          *testing.T
	in         *os.File
	out        *bufio.Reader
	session    string
	sent       int
	complaints []string // what it wrote on the console, and what it refused
	loaded     []string
	events     []string // names of events that came, since the last call
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium-headless-shell", "chromium", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Fatal("there is no Chromium to open the pages in; `make tools` gets one, and `make test` finds it")
	}
	hear, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, say, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
		"--disable-background-networking", "--user-data-dir="+t.TempDir(), "about:blank")
	c.ExtraFiles = []*os.File{hear, say}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	hear.Close()
	say.Close()
	t.Cleanup(func() {
		in.Close()
		c.Process.Kill()
		c.Wait()
		out.Close()
	})
	// It answers or it is killed, which ends the reading of its answers.
	deadline := time.AfterFunc(2*time.Minute, func() { c.Process.Kill() })
	t.Cleanup(func() { deadline.Stop() })
	b := &browser{t: t, in: in, out: bufio.NewReader(out)}
	var target struct{ TargetID string }
	b.decode(b.call("Target.createTarget", map[string]any{"url": "about:blank"}), &target)
	var attached struct{ SessionID string }
	b.decode(b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}), &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil)
	}
	return b
}

func (b *browser) decode(raw json.RawMessage, to any) {
	b.t.Helper()
	if err := json.Unmarshal(raw, to); err != nil {
		b.t.Fatal(err)
	}
}

// message is what comes from the browser: an answer, or an event.
type message struct {
	ID     int
	Method string
	Params json.RawMessage
	Result json.RawMessage
	Error  *struct{ Message string }
}

func (b *browser) read() message {
	b.t.Helper()
	line, err := b.out.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("the browser is gone: %v", err)
	}
	var m message
	b.decode(line[:len(line)-1], &m)
	switch m.Method {
	case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
		b.complaints = append(b.complaints, string(m.Params))
	case "Network.requestWillBeSent":
		var p struct{ Request struct{ URL string } }
		b.decode(m.Params, &p)
		b.loaded = append(b.loaded, p.Request.URL)
	}
	if m.Method != "" {
		b.events = append(b.events, m.Method)
	}
	return m
}

func (b *browser) call(method string, params map[string]any) json.RawMessage {
	b.t.Helper()
	b.sent++
	request := map[string]any{"id": b.sent, "method": method}
	if params != nil {
		request["params"] = params
	}
	if b.session != "" {
		request["sessionId"] = b.session
	}
	line, err := json.Marshal(request)
	if err == nil {
		_, err = b.in.Write(append(line, 0))
	}
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	for {
		m := b.read()
		if m.ID != b.sent {
			continue
		}
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		return m.Result
	}
}

func (b *browser) open(url string) {
	b.t.Helper()
	b.events = nil
	var opened struct{ ErrorText string }
	b.decode(b.call("Page.navigate", map[string]any{"url": url}), &opened)
	if opened.ErrorText != "" {
		b.t.Fatalf("%s: %s", url, opened.ErrorText)
	}
	for {
		for _, e := range b.events {
			if e == "Page.loadEventFired" {
				return
			}
		}
		b.read()
	}
}

// see sets the width of the window, in CSS pixels, and how the page is shown.
func (b *browser) see(width int, media, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
	b.call("Emulation.setEmulatedMedia", map[string]any{"media": media, "features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}}})
}

// eval runs a script that returns a list of texts.
func (b *browser) eval(script string) []string {
	b.t.Helper()
	var out struct {
		Result           struct{ Value []string }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	raw := b.call("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true})
	b.decode(raw, &out)
	if out.ExceptionDetails != nil {
		b.t.Fatal(errors.New(out.ExceptionDetails.Exception.Description))
	}
	if out.Result.Value == nil {
		b.t.Fatalf("the script returns %s", raw)
	}
	return out.Result.Value
}
