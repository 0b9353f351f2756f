package journal

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// A sampleScanner reads the lines of a file of samples. Nearly all of them are as the writer sets them, with the same series from one line to
// the next: these are read several times as fast as encoding/json can, with the labels shared. Whatever looks different is left to it,
// so that both read the same (a fuzz test compares them).
type sampleScanner struct {
	series []scannedSeries // of the line before
	most   int
	b      []byte // what is left of the line
	ok     bool
}

// scannedSeries is what tends to stay the same from one line to the next.
type scannedSeries struct {
	labels written[map[string]string]
	op     written[string]
	bound  *Number
}

// A written value is kept with the JSON that it was read from.
type written[T any] struct {
	raw   []byte
	value T
}

// read reads one line.
func (c *sampleScanner) read(line []byte) (Sample, error) {
	if s, ok := c.scan(line); ok {
		return s, nil
	}
	c.series = nil
	var s Sample
	err := json.Unmarshal(line, &s)
	return s, err
}

// scan reads a line that is as the writer sets it.
func (c *sampleScanner) scan(line []byte) (Sample, bool) {
	c.b, c.ok = line, true
	var s Sample
	c.expect(`{"at":"`)
	if at := c.word(); c.ok {
		var err error
		s.At, err = time.Parse(time.RFC3339Nano, string(at))
		c.ok = err == nil && len(at) > 0 && at[len(at)-1] == 'Z'
	}
	c.expect(`,"phase":"`)
	s.Phase = Phase(c.word())
	c.expect(`,"took":"`)
	if took := c.word(); c.ok {
		d, err := time.ParseDuration(string(took))
		s.Took, c.ok = Duration(d), err == nil
	}
	c.expect(`,"state":"`)
	s.State = State(c.word())
	if c.ok && c.next(`,"series":[`) {
		s.Series = make([]SeriesValue, 0, c.most)
		for {
			s.Series = append(s.Series, c.value(len(s.Series)))
			if !c.ok || !c.next(",") {
				break
			}
		}
		c.expect("]")
		c.most = max(c.most, len(s.Series))
	}
	c.expect("}")
	return s, c.ok && len(c.b) == 0
}

// value reads the i-th series of a line.
func (c *sampleScanner) value(i int) SeriesValue {
	if i == len(c.series) {
		c.series = append(c.series, scannedSeries{})
	}
	before := &c.series[i]
	var v SeriesValue
	c.expect("{")
	if c.next(`"labels":`) {
		v.Labels = again(c, &before.labels)
		c.expect(",")
	}
	c.expect(`"value":`)
	v.Value = c.number()
	c.expect(`,"ok":`)
	if v.OK = c.next("true"); !v.OK {
		c.expect("false")
	}
	if c.next(`,"op":`) {
		v.Op = again(c, &before.op)
	}
	if c.next(`,"bound":`) {
		if n := c.number(); before.bound == nil || *before.bound != n {
			before.bound = &n
		}
		v.Bound = before.bound
	}
	c.expect("}")
	return v
}

// again reads a value that mostly is the one that stood there in the line before. Both an object and a text end with a character of their
// own, so nothing else begins as they are written.
func again[T any](c *sampleScanner, before *written[T]) T {
	if len(before.raw) == 0 || !bytes.HasPrefix(c.b, before.raw) {
		d := json.NewDecoder(bytes.NewReader(c.b))
		var v T
		if len(c.b) == 0 || c.b[0] != '{' && c.b[0] != '"' || d.Decode(&v) != nil {
			c.ok = false
			return v
		}
		before.raw, before.value = c.b[:d.InputOffset()], v
	}
	c.b = c.b[len(before.raw):]
	return before.value
}

// expect goes past what has to come next.
func (c *sampleScanner) expect(s string) { c.ok = c.ok && c.next(s) }

// next goes past what comes next, if it is that.
func (c *sampleScanner) next(s string) bool {
	if len(c.b) < len(s) || string(c.b[:len(s)]) != s {
		return false
	}
	c.b = c.b[len(s):]
	return true
}

// word is a text without anything that JSON writes in another way, up to and with its closing quote.
func (c *sampleScanner) word() []byte {
	for i, x := range c.b {
		switch {
		case x == '"':
			w := c.b[:i]
			c.b = c.b[i+1:]
			return w
		case x < ' ' || x >= 0x7f || x == '\\':
			c.ok = false
			return nil
		}
	}
	c.ok = false
	return nil
}

// number is a number in JSON's grammar.
func (c *sampleScanner) number() Number {
	i := 0
	digits := func() bool {
		from := i
		for i < len(c.b) && c.b[i] >= '0' && c.b[i] <= '9' {
			i++
		}
		return i > from
	}
	is := func(set string) bool {
		if i < len(c.b) && bytes.IndexByte([]byte(set), c.b[i]) >= 0 {
			i++
			return true
		}
		return false
	}
	is("-")
	ok := is("0") || digits()
	if ok && is(".") {
		ok = digits()
	}
	if ok && is("eE") {
		is("+-")
		ok = digits()
	}
	if !ok {
		c.ok = false
		return 0
	}
	f, err := strconv.ParseFloat(string(c.b[:i]), 64)
	c.ok = c.ok && err == nil
	c.b = c.b[i:]
	return Number(f)
}
