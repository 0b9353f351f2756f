package runner

import (
	"fmt"
	"slices"
	"testing"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

// What the kernel counts of real containers: kills for want of memory, and what is written to a disk. Containers of one compose project are
// neighbours, also where they share no network.
func TestCollectorCountsWhatTheKernelDoes(t *testing.T) {
	t.Parallel()
	e := enginetest.Open(t)
	project := enginetest.Unique("gameday-project")
	of := func(service string) enginetest.Option {
		return enginetest.Labels(map[string]string{"com.docker.compose.project": project, "com.docker.compose.service": service})
	}
	dir := t.TempDir()
	apart := enginetest.TestNetwork(t, e)
	hungry := enginetest.Workload(t, e, enginetest.Unique("gameday-hungry"), of("hungry"), enginetest.Args("wait", "4s", "hold", "256MiB"),
		enginetest.With(func(s *engine.Spec) { s.Memory = 48 << 20 }))
	writer := enginetest.Workload(t, e, enginetest.Unique("gameday-writer"), of("writer"), enginetest.Network(apart.Name), enginetest.Args("spool", "/data/spooled", "4MiB"),
		enginetest.With(func(s *engine.Spec) { s.Binds = []string{dir + ":/data"} }))
	x := collect(t, e, nil, hungry)
	if got, want := first(x.told()), []string{"target " + hungry.Name, "neighbour " + writer.Name}; !slices.Equal(got, want) {
		t.Errorf("it watches %q, want %q", got, want)
	}
	x.comes(fmt.Sprintf("container_oom_events_total{name=%q} > bool 0", hungry.Name), 1)
	x.comes(fmt.Sprintf("container_exit_code{name=%q}", hungry.Name), 137)
	x.comes(fmt.Sprintf("container_oom_events_total{name=%q}", writer.Name), 0)
	x.comes(fmt.Sprintf("container_fs_writes_bytes_total{name=%q} > bool 1e6", writer.Name), 1)
	x.comes(fmt.Sprintf("container_fs_writes_total{name=%q} > bool 0", writer.Name), 1)
}

func first[T, U any](v T, _ U) T { return v }
