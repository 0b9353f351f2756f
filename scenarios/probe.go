package scenarios

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// probeSchemas are the kinds of probes, with what can be said of each.
var probeSchemas = map[string]*hcl.BodySchema{
	"http": {Attributes: attributes("target", "port", "path", "url", "method", "status", "body_regex", "timeout", "interval")},
	"tcp":  {Attributes: attributes("target", "port", "address", "send", "expect", "timeout", "interval")},
}

// longestProbe is a probe's timeout where neither it nor its interval is shorter.
const longestProbe = 10 * time.Second

// probes reads the probes of the built-in engine. seen has the jobs so far: scrapes and probes share their names.
func (b *block) probes(s *Source, seen map[string]hcl.Range) {
	for _, hb := range b.blocks.OfType("probe") {
		kind, job := hb.Labels[0], hb.Labels[1]
		schema := probeSchemas[kind]
		if schema == nil {
			kinds := sortedKeys(probeSchemas)
			detail := fmt.Sprintf("There is no probe of the kind %q.", clipped(kind))
			if near := nearest(kind, kinds); near != "" {
				detail += fmt.Sprintf(" Did you mean %q?", near)
			} else {
				detail += fmt.Sprintf(" The kinds are %s.", inWords(kinds, "and"))
			}
			b.l.fail(hb.LabelRanges[0], b.path+", "+blockName(hb), "Unknown kind of probe", detail)
			continue
		}
		pb := b.l.open(hb, b.path, schema)
		if pb.newJob(job, hb.LabelRanges[1], seen) {
			s.Probes = append(s.Probes, pb.probe(kind, job, s.Interval))
		}
	}
}

// newJob says whether the name of a scrape or probe is a good one, and reports it if not.
func (b *block) newJob(job string, at hcl.Range, seen map[string]hcl.Range) bool {
	if job == "" || len(job) > longestName {
		b.l.fail(at, b.path, "Invalid name", fmt.Sprintf("The name of a job has 1 to %d bytes. Rename it.", longestName))
		return false
	}
	if first, ok := seen[job]; ok {
		b.l.fail(at, b.path, "Duplicate job", fmt.Sprintf("There is already a job %q, at %s. Rename one of them: the name becomes the label job.", job, place(first)))
		return false
	}
	seen[job] = at
	return true
}

func (b *block) probe(kind, job string, interval time.Duration) Probe {
	p := Probe{Kind: kind, Job: job, Range: toRange(b.def), Interval: interval}
	if d, ok := b.duration("interval", shortestInterval); ok {
		p.Interval = d
	}
	p.Timeout = min(p.Interval, longestProbe)
	if d, ok := b.duration("timeout", time.Millisecond); ok {
		if d > p.Interval {
			b.failAt("timeout", "Timeout longer than the interval",
				fmt.Sprintf("The next attempt is due after %s, before this one is given up. Give a longer interval, or a shorter timeout.", inUnits(p.Interval)))
		}
		p.Timeout = d
	}
	direct := "url" // what says where to go where there is no target
	if kind == "tcp" {
		direct = "address"
	}
	switch {
	case b.has("target") && b.has(direct):
		b.l.fail(b.attrs[direct].NameRange, b.path, "Target and "+direct, "Both say where to go. Leave one of them out.")
	case b.has("target"):
		if name, ok := b.reference("target", "target", sortedKeys(b.l.targets)); ok {
			p.Target = b.l.targets[name]
		}
		if b.need("port", "the port in the container that is to answer") {
			p.Port, _ = b.whole("port", 1, 65535)
		}
	case b.has(direct):
		for _, n := range []string{"port", "path"} {
			if a := b.attrs[n]; a != nil {
				b.l.fail(a.NameRange, b.path, "Already in the "+direct, fmt.Sprintf("The %s says this already. Leave out %q.", direct, n))
			}
		}
	case b.wrong == "":
		b.l.fail(b.missing, b.path, "Nothing to probe", fmt.Sprintf("Say where to go: target = target.name with a port, or %s.",
			map[string]string{"url": "a url", "address": `an address such as "db.example.com:5432"`}[direct]))
	}
	if kind == "http" {
		b.httpProbe(&p)
	} else {
		b.tcpProbe(&p)
	}
	return p
}

func (b *block) httpProbe(p *Probe) {
	if p.Target != nil {
		p.Path = "/"
	}
	if path, ok := b.str("path"); ok {
		p.Path = path
		if !strings.HasPrefix(path, "/") {
			b.failAt("path", "Invalid path", `A path starts with a slash, like "/healthz".`)
		}
	}
	if text, ok := b.str("url"); ok {
		p.URL = text
		if problem := urlProblem(text, false); problem != "" {
			b.failURL(problem)
		}
	}
	p.Method = b.one("method", "GET", "GET", "HEAD", "OPTIONS", "POST")
	p.Status = b.statuses("status")
	var ok bool
	if p.BodyRegex, ok = b.regex("body_regex"); ok && p.Method == "HEAD" {
		b.failAt("body_regex", "No body to look at", `The answer to a HEAD request has no body. Use method = "GET", or leave body_regex out.`)
	}
}

func (b *block) tcpProbe(p *Probe) {
	if text, ok := b.str("address"); ok {
		p.Address = text
		host, port, err := net.SplitHostPort(text)
		if n, notNumber := strconv.Atoi(port); err != nil || host == "" || notNumber != nil || n < 1 || n > 65535 {
			b.failAt("address", "Invalid address", `An address is a host and a port, like "db.example.com:5432" or "[fd00::1]:5432".`)
		}
	}
	p.Send, _ = b.str("send")
	p.Expect, _ = b.str("expect")
}

// statuses reads a status code of HTTP, or several.
func (b *block) statuses(name string) []int {
	v, _, ok := b.value(name, false)
	if !ok {
		return nil
	}
	list := []cty.Value{v}
	if t := v.Type(); t.IsTupleType() || t.IsListType() || t.IsSetType() {
		list = v.AsValueSlice()
		if len(list) == 0 {
			b.failAt(name, "Empty list", fmt.Sprintf("%q is empty, so no answer would do. Leave it out to take any from 200 to 299.", name))
			return nil
		}
	}
	var out []int
	for _, e := range list {
		if e.IsNull() || e.Type() != cty.Number {
			b.failType(name, "a status code such as 200, or a list of them", e)
			return nil
		}
		f, _ := e.AsBigFloat().Float64()
		if f != float64(int(f)) || f < 100 || f > 599 {
			b.failAt(name, "Number out of range", "A status code is a whole number from 100 to 599.")
			return nil
		}
		out = append(out, int(f))
	}
	return out
}
