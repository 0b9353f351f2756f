package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
)

// logger hands Prometheus's warnings on, or drops them: they must never reach the terminal by themselves.
func logger(log func(string)) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(&lineHandler{log: log})
}

// A lineHandler writes each record as one line of text.
type lineHandler struct {
	log   func(string)
	attrs string
}

func (*lineHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString("prometheus: ")
	b.WriteString(r.Message)
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(attrText(a))
		return true
	})
	h.log(strings.Join(strings.Fields(b.String()), " "))
	return nil
}

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	for _, a := range attrs {
		next.attrs += attrText(a)
	}
	return &next
}

// WithGroup leaves names flat: a line for people.
func (h *lineHandler) WithGroup(string) slog.Handler { return h }

func attrText(a slog.Attr) string {
	return fmt.Sprintf(" %s=%v", a.Key, a.Value)
}

func (e *Embedded) log(line string) {
	if e.config.Log != nil {
		e.config.Log(line)
	}
}

// engineVersion is the version of the Prometheus module that this binary was built with.
var engineVersion = sync.OnceValue(func() string {
	const module = "github.com/prometheus/prometheus"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == module {
				return m.Version
			}
		}
	}
	return "unknown"
})
