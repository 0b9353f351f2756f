package scenarios

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// criteria are the arguments that say which containers are meant.
var criteria = []string{"name", "name_regex", "labels", "compose_project", "compose_service", "image"}

var targetSchema = &hcl.BodySchema{Attributes: attributes(append([]string{"pick"}, criteria...)...)}

func (l *loader) readTargets(blocks hcl.Blocks) {
	l.targets = map[string]*Target{}
	seen := map[string]hcl.Range{}
	for _, hb := range blocks {
		b := l.open(hb, "", targetSchema)
		if !l.unique("target", hb, b.path, seen) {
			continue
		}
		t := &Target{Name: hb.Labels[0], Range: toRange(hb.DefRange)}
		l.targets[t.Name] = t
		l.ws.Targets = append(l.ws.Targets, t)
		t.ContainerName, _ = b.str("name")
		t.ComposeProject, _ = b.str("compose_project")
		t.ComposeService, _ = b.str("compose_service")
		t.Image, _ = b.str("image")
		t.NameRegex, _ = b.regex("name_regex")
		if labels, ok := b.strMap("labels", false); ok {
			if len(labels) == 0 {
				b.failAt("labels", "Empty map", `"labels" names no label, so it would match everything. Name one, or leave it out.`)
			}
			t.Labels = labels
		}
		t.Pick = b.pick()
		given := false
		for _, c := range criteria {
			given = given || b.has(c)
		}
		if !given && b.wrong == "" {
			l.fail(b.missing, b.path, "Target matches everything", fmt.Sprintf("It says nothing about the containers that are meant. Give at least one of %s.", inWords(criteria, "or")))
		}
	}
}

// pick reads how many of the containers are taken.
func (b *block) pick() Pick {
	v, _, ok := b.value("pick", false)
	if !ok {
		return Pick{}
	}
	const detail = `"pick" is "all", "one", a number such as 2, or a share such as "50%".`
	var text string
	switch v.Type() {
	case cty.Number:
		text = v.AsBigFloat().Text('f', -1)
	case cty.String:
		text = v.AsString()
	default:
		b.failType("pick", `"all", "one", a number or a share such as "50%"`, v)
		return Pick{}
	}
	switch text {
	case "all":
		return Pick{}
	case "one":
		return Pick{Count: 1}
	}
	if share, ok := strings.CutSuffix(text, "%"); ok {
		if n, err := strconv.Atoi(share); err == nil && n >= 1 && n <= 100 {
			return Pick{Percent: n}
		}
		b.failAt("pick", "Invalid pick", detail+" A share is a whole number from 1% to 100%.")
		return Pick{}
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= 100000 {
		return Pick{Count: n}
	}
	b.failAt("pick", "Invalid pick", detail)
	return Pick{}
}

// String is the pick as it is written: "all", "one", "2" or "50%".
func (p Pick) String() string {
	switch {
	case p.Count == 1:
		return "one"
	case p.Count > 1:
		return strconv.Itoa(p.Count)
	case p.Percent > 0:
		return strconv.Itoa(p.Percent) + "%"
	}
	return "all"
}

// Selector says in words which containers are meant: `compose project "shop", compose service "api"`.
func (t *Target) Selector() string {
	var parts []string
	add := func(what, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf("%s %q", what, value))
		}
	}
	add("name", t.ContainerName)
	add("name matching", t.NameRegex)
	for _, k := range sortedKeys(t.Labels) {
		parts = append(parts, fmt.Sprintf("label %s=%q", k, t.Labels[k]))
	}
	add("compose project", t.ComposeProject)
	add("compose service", t.ComposeService)
	add("image", t.Image)
	return strings.Join(parts, ", ")
}
