// Looks at a page as it is shown, and returns what is wrong with it.
(() => {
  const wrong = [];
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const name = e => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + (e.getAttribute("class") ? "." + e.getAttribute("class").split(" ").join(".") : "") + " " + JSON.stringify((e.textContent || "").trim().slice(0, 40));
  const shown = e => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden";
  const print = matchMedia("print").matches;

  // Nothing makes the page scroll sideways, and no drawing is cut off.
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    const widest = all("main *").filter(e => e.getBoundingClientRect().right > width + 1 && !e.closest(".index, .wide, svg svg")).slice(0, 3);
    wrong.push("it is " + document.documentElement.scrollWidth + " px wide, for one by " + widest.map(name));
  }
  for (const e of all("svg.chart")) {
    const r = e.getBoundingClientRect();
    if (r.left < 0 || r.right > width + 0.5 || r.width < 100) wrong.push(name(e) + " is from " + r.left + " to " + r.right + " px");
  }

  // What is written in a drawing stands beside the rest of it, and within the page.
  for (const drawing of all("svg.chart")) {
    const edge = drawing.closest("figure").getBoundingClientRect();
    const labels = all("text, .alert-tick path, .undo-flag", drawing).filter(e => shown(e) && !e.closest(".fault-bar")).map(e => ({ e, r: e.getBoundingClientRect() }));
    labels.forEach(({ e, r }, i) => {
      if (e.tagName === "text" && (r.left < edge.left - 1 || r.right > edge.right + 1)) wrong.push(name(e) + " in " + name(drawing) + " is cut off");
      for (const other of labels.slice(i + 1)) {
        if (e.tagName === "path" && other.e.tagName === "path") continue; // alerts may fire together
        const over = Math.min(r.right, other.r.right) - Math.max(r.left, other.r.left), down = Math.min(r.bottom, other.r.bottom) - Math.max(r.top, other.r.top);
        if (over > 1 && down > 3) wrong.push(name(e) + " and " + name(other.e) + " overlap in " + name(drawing)); // letters have air above and below
      }
    });
  }
  // Where the cells of a row are lines, each is as high as the name of its column.
  for (const e of all("td").filter(shown)) {
    const label = getComputedStyle(e, "::before");
    if (label.content !== "none" && parseFloat(label.height) > e.clientHeight + 1) wrong.push(name(e) + " is lower than the name of its column");
    if (e.dataset.label === undefined && !e.closest(".index") && matchMedia("(max-width: 34rem)").matches) wrong.push(name(e) + " does not say of which column it is");
  }
  // A short name is not broken within a word, and a number not from its unit.
  for (const e of all("code.n")) {
    const t = (e.textContent || "").trim();
    if (shown(e) && /^[a-z0-9_]+$/i.test(t) && e.getClientRects().length > 1) wrong.push(name(e) + " is broken");
  }

  // Every link leads somewhere, and every drawing has its text.
  for (const a of all('a[href^="#"]')) if (!document.getElementById(a.getAttribute("href").slice(1))) wrong.push("a link to " + a.getAttribute("href") + " leads nowhere");
  for (const e of all("svg")) {
    if (e.parentElement.closest("svg") || e.closest("[aria-hidden=true]")) continue;
    for (const id of (e.getAttribute("aria-labelledby") || "-").split(" ")) {
      const text = document.getElementById(id);
      if (!text || !text.textContent.trim()) wrong.push(name(e) + " has no text for who cannot see it");
    }
    if (e.getAttribute("role") !== "img" || !e.querySelector("title") || !e.querySelector("desc")) wrong.push(name(e) + " is no image with a title and a description");
  }
  for (const e of all("th")) if (!e.hasAttribute("scope")) wrong.push(name(e) + " has no scope");
  for (const e of all("[role=region], nav")) if (!e.getAttribute("aria-label")) wrong.push(name(e) + " has no name");
  if (all("h1").length !== 1 || all("main").length !== 1 || !document.documentElement.lang || !document.title) wrong.push("it lacks a heading, a main part, a language or a title");
  let level = 0;
  for (const e of all("h1, h2, h3, h4, h5, h6").filter(shown)) {
    const n = +e.tagName[1];
    if (level && n > level + 1) wrong.push(name(e) + " comes after a heading of level " + level);
    level = n;
  }
  for (const e of all("[tabindex]")) if (e.tabIndex > 0) wrong.push(name(e) + " is out of the order of the page");

  // Text can be read: its contrast with what is behind it is that of WCAG's level AA.
  const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const contrast = (a, b) => { const x = light(a), y = light(b); return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
  const behind = e => {
    const layers = [];
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) layers.push(c);
      if (c[3] === 1) break;
    }
    return layers.reverse().reduce((under, c) => over(c, under), [255, 255, 255, 1]);
  };
  const seen = new Set();
  for (const e of all("body *")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !shown(e) || e.closest("title, desc, style, .skip")) continue;
    const style = getComputedStyle(e), drawn = e.closest("svg");
    const bar = e.closest(".fault-bar");
    const ground = bar ? parse(getComputedStyle(bar.querySelector("rect")).fill) : behind(e);
    const ink = over(parse(drawn ? style.fill : style.color), ground);
    const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && +style.fontWeight >= 700;
    const c = contrast(ink, ground);
    const key = style.color + style.fill + ground + large;
    if (c < (large ? 3 : 4.5) && !seen.has(key)) { seen.add(key); wrong.push(name(e) + " has a contrast of " + c.toFixed(2) + " with what is behind it"); }
  }

  if (print) {
    for (const e of all("nav, .skip, details").filter(shown)) wrong.push(name(e) + " is of no use on paper");
    for (const e of all(".blank")) if (!shown(e)) wrong.push("there is no room to write on");
    return wrong;
  }
  for (const e of all(".blank").filter(shown)) wrong.push("room to write on is shown on a screen");

  // The instant of a row of the timeline is marked in every drawing while one looks at the row.
  const row = document.querySelector("#timeline tr[id]"), cursors = all(".cursor");
  if (row) {
    if (cursors.some(shown)) wrong.push("an instant is marked before one looks at it");
    row.querySelector("a").focus({ preventScroll: true });
    const x = new Set(cursors.map(c => getComputedStyle(c).x));
    if (!cursors.every(shown) || x.size > 1 || [...x][0] === "0px") wrong.push("the row that has the focus is not marked in the drawings: " + [...x]);
    const outline = getComputedStyle(document.activeElement);
    if (document.activeElement.matches(":focus-visible") && parseFloat(outline.outlineWidth) < 2) wrong.push("one does not see where the focus is");
    document.activeElement.blur();
  }
  const skip = document.querySelector(".skip");
  skip.focus();
  const r = skip.getBoundingClientRect();
  if (r.left < 0 || r.top < 0 || document.querySelector("a, button, [tabindex]") !== skip) wrong.push("the link past the contents does not come first");
  skip.blur();
  return wrong;
})()
