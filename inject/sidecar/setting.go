package sidecar

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// A Setting is one value in a container's control group that a fault changes. As data it is enough to put it back.
type Setting struct {
	Controller string `json:"controller"` // "memory"
	File       string `json:"file"`       // "memory.max"
	// Key is the line of a file that has one for each device: "254:0"; and what of that line: "254:0 rbps".
	Key string `json:"key,omitempty"`
	// Was is the value as it is put back, in the kernel's words: "max", "-1", "67108864".
	Was string `json:"was"`
	// Set has the values that the fault may have written: whatever else is there is somebody else's.
	Set []string `json:"set"`
}

func (s Setting) String() string {
	if s.Key == "" {
		return s.File
	}
	return s.File + " of " + s.Key
}

// value reads a setting as it is now.
func (g *group) value(s Setting) (string, error) {
	text, err := g.read(s.File)
	if err != nil {
		return "", err
	}
	if s.Key == "" {
		return strings.TrimSpace(text), nil
	}
	dev, part, _ := strings.Cut(s.Key, " ")
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != dev {
			continue
		}
		if part == "" {
			return f[1], nil
		}
		for _, x := range f[1:] {
			if v, ok := strings.CutPrefix(x, part+"="); ok {
				return v, nil
			}
		}
	}
	if part == "" {
		return "0", nil // version 1: no line, no limit
	}
	return "max", nil
}

// put writes a setting.
func (g *group) put(s Setting, value string) error {
	dev, part, _ := strings.Cut(s.Key, " ")
	switch {
	case part != "":
		value = dev + " " + part + "=" + value
	case dev != "":
		value = dev + " " + value
	}
	return write(g.own, s.File, value)
}

// values are settings of one container with the values that they are to have.
type values []struct {
	Setting
	value string
}

func (v *values) add(s Setting, value string) {
	*v = append(*v, struct {
		Setting
		value string
	}{s, value})
}

// write writes all values, in whatever order the kernel takes them: some are bounds of others. It stops when none of those
// that are left is taken.
func (g *groups) write(todo values) error {
	for len(todo) > 0 {
		var left values
		var errs []error
		for _, s := range todo {
			one, err := g.of(s.Controller)
			if err == nil {
				err = one.put(s.Setting, s.value)
			}
			if err != nil {
				left.add(s.Setting, s.value)
				errs = append(errs, fmt.Errorf("write %s to %s: %w", s.value, s.Setting, bare(err)))
			}
		}
		if len(left) == len(todo) {
			return errors.Join(errs...)
		}
		todo = left
	}
	return nil
}

// bare is the kernel's reason, without the path that it was for.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// ours says which settings have a value that the fault has written.
func (g *groups) ours(all []Setting) (ours []Setting, err error) {
	for _, s := range all {
		now, err := g.now(s)
		if err != nil {
			return nil, err
		}
		if now != s.Was && slices.Contains(s.Set, now) {
			ours = append(ours, s)
		}
	}
	return ours, nil
}

func (g *groups) now(s Setting) (string, error) {
	one, err := g.of(s.Controller)
	if err != nil {
		return "", err
	}
	return one.value(s)
}

// restore puts back what is ours, and leaves alone what somebody else has changed since. It fails unless it has seen the old
// values. A group that is gone needs nothing.
func (g *groups) restore(all []Setting) error {
	ours, err := g.ours(all)
	if err != nil {
		return gone(err)
	}
	var todo values
	for _, s := range ours {
		todo.add(s, s.Was)
	}
	if err := g.write(todo); err != nil {
		return gone(err)
	}
	for _, s := range ours {
		now, err := g.now(s)
		if err != nil {
			return gone(err)
		}
		if now != s.Was && slices.Contains(s.Set, now) {
			return fmt.Errorf("%s is still %s after %s was written", s, now, s.Was)
		}
	}
	return nil
}

func gone(err error) error {
	if isGone(err) {
		return nil
	}
	return err
}
