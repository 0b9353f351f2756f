package runner

import (
	"gameday/inject/engine"
	"gameday/runner/metrics"
)

// containersJob is the label job of what the engine itself tells of its containers.
const containersJob = "containers"

// seriesLabels are those of all series of a container: cAdvisor's, and those that scraped series have.
func seriesLabels(c engine.Container) map[string]string {
	set := map[string]string{"job": containersJob, "id": "/docker/" + c.ID, "name": c.Name, "container": c.Name, "image": c.Image}
	if s := c.ComposeService(); s != "" {
		set["service"] = s
	}
	return set
}

// A sampleList gathers samples of one time.
type sampleList []metrics.Sample

// add takes labels as name, value, name, value …
func (l *sampleList) add(name string, value float64, labels ...string) {
	s := metrics.Sample{Name: name, Value: value}
	for i := 0; i+1 < len(labels); i += 2 {
		if s.Labels == nil {
			s.Labels = map[string]string{}
		}
		s.Labels[labels[i]] = labels[i+1]
	}
	*l = append(*l, s)
}

// usageSamples are what a running container uses, under the names that cAdvisor gives them. hostMemory tells a limit from none.
func usageSamples(s engine.Stats, hostMemory int64) []metrics.Sample {
	var l sampleList
	cpu, m := s.CPU, s.Memory
	l.add("container_last_seen", float64(s.Read.UnixMilli())/1000)
	l.add("container_cpu_usage_seconds_total", cpu.Total.Seconds(), "cpu", "total")
	l.add("container_cpu_user_seconds_total", cpu.User.Seconds())
	l.add("container_cpu_system_seconds_total", cpu.System.Seconds())
	l.add("container_cpu_cfs_periods_total", float64(cpu.Periods))
	l.add("container_cpu_cfs_throttled_periods_total", float64(cpu.ThrottledPeriods))
	l.add("container_cpu_cfs_throttled_seconds_total", cpu.Throttled.Seconds())
	l.add("container_memory_usage_bytes", float64(m.Usage))
	l.add("container_memory_working_set_bytes", float64(m.WorkingSet))
	l.add("container_memory_rss", float64(m.RSS))
	l.add("container_memory_cache", float64(m.Cache))
	l.add("container_memory_failcnt", float64(m.FailCount))
	limit := m.Limit
	if hostMemory > 0 && limit >= uint64(hostMemory) {
		limit = 0 // as cAdvisor has it: none
	}
	l.add("container_spec_memory_limit_bytes", float64(limit))
	for _, n := range s.Networks {
		for _, x := range []struct {
			name  string
			value uint64
		}{
			{"receive_bytes", n.RxBytes}, {"receive_packets", n.RxPackets}, {"receive_errors", n.RxErrors}, {"receive_packets_dropped", n.RxDropped},
			{"transmit_bytes", n.TxBytes}, {"transmit_packets", n.TxPackets}, {"transmit_errors", n.TxErrors}, {"transmit_packets_dropped", n.TxDropped},
		} {
			l.add("container_network_"+x.name+"_total", float64(x.value), "interface", n.Name)
		}
	}
	if s.Disk.Counted {
		l.add("container_fs_reads_bytes_total", float64(s.Disk.ReadBytes))
		l.add("container_fs_writes_bytes_total", float64(s.Disk.WriteBytes))
	}
	if s.Disk.CountedOps {
		l.add("container_fs_reads_total", float64(s.Disk.ReadOps))
		l.add("container_fs_writes_total", float64(s.Disk.WriteOps))
	}
	l.add("container_threads", float64(s.Pids.Current))
	l.add("container_threads_max", float64(s.Pids.Limit)) // 0: no limit
	return l
}

// The states that Docker knows, of a container and of its health check.
var (
	containerStates = []string{"created", "running", "paused", "restarting", "removing", "exited", "dead"}
	healthStates    = []string{"starting", "healthy", "unhealthy"}
)

// defaultPeriod is that of a CPU limit where nobody chose one, in microseconds.
const defaultPeriod = 100_000

// stateSamples are how a container is, running or not. ooms is how often the kernel killed a process in it since it is watched, and
// exit its last exit code; nil where it has not ended yet.
func stateSamples(c engine.Container, ooms int, exit *int) []metrics.Sample {
	var l sampleList
	for _, s := range containerStates {
		l.add("container_state", truth(c.State.Status == s), "state", s)
	}
	if c.State.Health != "" {
		for _, s := range healthStates {
			l.add("container_health", truth(c.State.Health == s), "state", s)
		}
	}
	l.add("container_restarts_total", float64(c.RestartCount))
	l.add("container_oom_events_total", float64(ooms))
	if exit != nil {
		l.add("container_exit_code", float64(*exit))
	}
	if at := c.State.StartedAt; !at.IsZero() {
		l.add("container_start_time_seconds", float64(at.UnixMilli())/1000)
	}
	quota, period := c.Limits.CPUQuota, c.Limits.CPUPeriod
	if period == 0 {
		period = defaultPeriod
	}
	if n := c.Limits.NanoCPUs; n > 0 {
		quota = n * period / 1e9
	}
	if quota > 0 {
		l.add("container_spec_cpu_quota", float64(quota))
		l.add("container_spec_cpu_period", float64(period))
	}
	return l
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
