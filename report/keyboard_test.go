package report

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// inOrder numbers all that takes the focus, in the order of the page.
const inOrder = `(() => {
  const all = [...document.querySelectorAll("a[href], button, summary, input, [tabindex]")].filter(e => e.tabIndex === 0 && e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden");
  all.forEach((e, i) => e.dataset.order = i);
  return [String(all.length)];
})()`

// hasFocus is the number of what has the focus, and what is wrong with how it is shown.
const hasFocus = `(() => {
  const e = document.activeElement, wrong = [];
  if (!e || e === document.body) return ["-1"];
  const r = e.getBoundingClientRect(), nav = document.querySelector("nav").getBoundingClientRect();
  const what = e.tagName + " " + JSON.stringify(e.textContent.trim().slice(0, 30));
  if (parseFloat(getComputedStyle(e).outlineWidth) < 2 || getComputedStyle(e).outlineStyle === "none") wrong.push(what + " does not show that it has the focus");
  if (r.bottom <= 0 || r.top >= innerHeight || r.right <= 0 || r.left >= innerWidth) wrong.push(what + " has the focus out of sight");
  else if (r.height > 0 && !e.closest("nav, .skip") && nav.width > innerWidth / 2 && r.bottom <= nav.bottom - 1) wrong.push(what + " has the focus beneath the contents");
  return [String(e.dataset.order), ...wrong];
})()`

// key presses a key and lets it go.
func (b *browser) key(name string, code int, text string) {
	b.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		event := map[string]any{"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code}
		if kind == "keyDown" && text != "" {
			event["text"] = text
		}
		b.call("Input.dispatchKeyEvent", event)
	}
}

// Whoever has a keyboard alone comes to everything, in the order of the page, sees where they are, and from a citation gets to its evidence
// and back.
func TestPageByKeyboard(t *testing.T) {
	page, err := Build(stories()["noted"]).HTML()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, page, 0o644); err != nil {
		t.Fatal(err)
	}
	b := startBrowser(t)
	for _, width := range []int{390, 1280} {
		b.open("file://" + (&url.URL{Path: path}).EscapedPath())
		b.see(width, "screen", "light")
		all, err := strconv.Atoi(b.eval(inOrder)[0])
		if err != nil || all < 50 {
			t.Fatalf("%d px: %d things take the focus, %v", width, all, err)
		}
		if width > 500 { // the order is that of the page at any width
			all = 40
		}
		for i := range all {
			b.key("Tab", 9, "")
			got := b.eval(hasFocus)
			if got[0] != strconv.Itoa(i) {
				t.Errorf("%d px: after %d presses of Tab the focus is on number %s", width, i+1, got[0])
				break
			}
			for _, w := range got[1:] {
				t.Errorf("%d px: %s", width, w)
			}
		}
		b.eval(`(document.querySelector("#five-lines .ev, #five-lines a[href^='#E']").focus(), [])`)
		b.key("Enter", 13, "\r")
		for _, w := range b.eval(`(() => {
  const cited = document.activeElement && document.querySelector("#five-lines a[href='" + location.hash + "']"), target = location.hash && document.querySelector(location.hash);
  if (!cited || !target) return ["a citation leads to " + location.hash];
  const r = target.getBoundingClientRect();
  return r.bottom <= 0 || r.top >= innerHeight ? ["the evidence of " + location.hash + " is out of sight"] : [];
})()`) {
			t.Errorf("%d px: %s", width, w)
		}
		for _, w := range b.eval(`(() => {
  const back = document.querySelector(location.hash + " .back a, " + location.hash + " a.back, " + location.hash + " a[href^='#']");
  if (!back) return ["nothing leads back from " + location.hash];
  back.focus();
  return [];
})()`) {
			t.Errorf("%d px: %s", width, w)
		}
		b.key("Enter", 13, "\r")
		for _, w := range b.eval(`(() => {
  const at = document.querySelector(location.hash);
  if (!at || /^#[EGNQ][0-9]/.test(location.hash)) return ["the way back leads to " + location.hash];
  const r = at.getBoundingClientRect();
  return r.bottom <= 0 || r.top >= innerHeight ? ["what cites it is out of sight at " + location.hash] : [];
})()`) {
			t.Errorf("%d px: %s", width, w)
		}
	}
}
