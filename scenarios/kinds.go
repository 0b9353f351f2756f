package scenarios

import "slices"

// KindInfo describes a kind of fault as the language knows it.
type KindInfo struct {
	Name             string    `json:"name"`
	Built            bool      `json:"built"` // false: part of the language, refused by this version
	DurationRequired bool      `json:"duration_required"`
	Args             []ArgInfo `json:"args,omitempty"` // besides those that every fault has; empty where Built is false
}

// ArgInfo describes an argument of a kind of fault.
type ArgInfo struct {
	Name string `json:"name"`
	Type string `json:"type"` // what Fault.Args holds for it: see there
	// Default is what holds where it is left out: as it would be written, without quotes, or in words if Optional. Empty: it
	// is required.
	Default  string   `json:"default"`
	Optional bool     `json:"optional,omitempty"` // left out, it has no value at all
	Words    []string `json:"words,omitempty"`    // the only values that it can have

	purpose string // of one that is required: what it says, for the message that it is missing
	refine  refinement
}

// A refinement brings a value into the form that Fault.Args holds, or says what is wrong with it.
type refinement func(value any) (refined any, summary, detail string)

// The arguments that several kinds have.
var (
	graceArg       = ArgInfo{Name: "grace", Type: "duration", Default: "10s", refine: graceTime}
	correlationArg = ArgInfo{Name: "correlation", Type: "percent", Default: "0"}
	peersArg       = ArgInfo{Name: "peers", Type: "peers", Default: "all", Optional: true}
	protocolArg    = ArgInfo{Name: "protocol", Type: "string", Default: "all", Optional: true, Words: []string{"tcp", "udp", "icmp"}}
	portsArg       = ArgInfo{Name: "ports", Type: "ports", Default: "all", Optional: true}
)

func percentArg(purpose string) ArgInfo {
	return ArgInfo{Name: "percent", Type: "percent", purpose: purpose}
}

// network adds the arguments that every fault between a container and others has.
func network(direction string, own ...ArgInfo) []ArgInfo {
	return append(own, ArgInfo{Name: "direction", Type: "string", Default: direction, Words: []string{"egress", "ingress", "both"}},
		peersArg, protocolArg, portsArg)
}

// builtKinds are the kinds that this version can do, in the order of the language.
var builtKinds = []KindInfo{
	{Name: "pause", Built: true, DurationRequired: true},
	{Name: "stop", Built: true, DurationRequired: true, Args: []ArgInfo{graceArg}},
	{Name: "kill", Built: true, Args: []ArgInfo{{Name: "signal", Type: "string", Default: "KILL", refine: endingSignal}}},
	{Name: "crash", Built: true},
	{Name: "restart", Built: true, Args: []ArgInfo{graceArg}},
	{Name: "oom", Built: true},
	{Name: "signal", Built: true, Args: []ArgInfo{
		{Name: "process", Type: "string", purpose: `the name of the process that is sent the signal, such as "worker"`, refine: processName},
		{Name: "signal", Type: "string", Default: "TERM", refine: anySignal},
	}},
	{Name: "exec", Built: true, DurationRequired: true, Args: []ArgInfo{
		{Name: "run", Type: "command", purpose: "the command that does the harm inside the container"},
		{Name: "undo", Type: "command", purpose: "the command that undoes it: nothing else could know it"},
		{Name: "user", Type: "string", Default: "the container's", Optional: true},
		{Name: "timeout", Type: "duration", Default: "30s", refine: execTime},
	}},
	{Name: "latency", Built: true, DurationRequired: true, Args: network("egress",
		ArgInfo{Name: "delay", Type: "duration", purpose: `how long each packet is held back, such as "300ms"`, refine: delayTime},
		ArgInfo{Name: "jitter", Type: "duration", Default: "0s"},
		correlationArg)},
	{Name: "loss", Built: true, DurationRequired: true, Args: network("egress", percentArg("how many of 100 packets are lost, such as 5"), correlationArg)},
	{Name: "corrupt", Built: true, DurationRequired: true, Args: network("egress", percentArg("how many of 100 packets are damaged, such as 5"), correlationArg)},
	{Name: "duplicate", Built: true, DurationRequired: true, Args: network("egress", percentArg("how many of 100 packets are sent twice, such as 5"), correlationArg)},
	{Name: "reorder", Built: true, DurationRequired: true, Args: network("egress",
		percentArg("how many of 100 packets overtake those before them, such as 5"), correlationArg,
		ArgInfo{Name: "delay", Type: "duration", Default: "10ms", refine: delayTime})},
	{Name: "rate", Built: true, DurationRequired: true, Args: network("egress",
		ArgInfo{Name: "rate", Type: "rate", purpose: `how much gets through, such as "1mbit"`})},
	{Name: "partition", Built: true, DurationRequired: true, Args: network("both")},
	{Name: "reject", Built: true, DurationRequired: true, Args: network("egress",
		ArgInfo{Name: "with", Type: "string", Default: "tcp-reset", Words: []string{"tcp-reset", "icmp"}})},
	{Name: "disconnect", Built: true, DurationRequired: true, Args: []ArgInfo{
		{Name: "network", Type: "string", purpose: "the network that the container is taken out of, by its name in Docker"},
	}},
	{Name: "cpu", Built: true, DurationRequired: true, Args: []ArgInfo{
		{Name: "limit", Type: "number", purpose: "how many cores the container may use, such as 0.5", refine: cores},
	}},
	{Name: "memory", Built: true, DurationRequired: true, Args: []ArgInfo{
		{Name: "limit", Type: "size", purpose: `how much memory the container may use, such as "64MiB"`, refine: memorySize},
	}},
	{Name: "io", Built: true, DurationRequired: true, Args: []ArgInfo{
		{Name: "read", Type: "throughput", Default: "no limit", Optional: true},
		{Name: "write", Type: "throughput", Default: "no limit", Optional: true},
	}},
	{Name: "stress", Built: true, DurationRequired: true, Args: []ArgInfo{
		{Name: "cpu", Type: "whole", Default: "none", Optional: true, refine: workers},
		{Name: "memory", Type: "size", Default: "none", Optional: true, refine: memorySize},
	}},
	{Name: "fill", Built: true, DurationRequired: true, Args: []ArgInfo{
		{Name: "path", Type: "string", purpose: `the directory in the container that is filled, such as "/var/lib/data"`, refine: absolutePath},
		{Name: "size", Type: "size", Default: "none", Optional: true},
		{Name: "percent", Type: "percent", Default: "none", Optional: true},
	}},
}

// laterKinds are the kinds that are part of the language but cannot be done yet.
var laterKinds = []string{"dns", "http", "tcp"}

// FaultKinds lists every kind of fault in the language, those that can be done first.
func FaultKinds() []KindInfo {
	var kinds []KindInfo
	for _, k := range builtKinds {
		k.Args = slices.Clone(k.Args)
		for i := range k.Args {
			k.Args[i].Words = slices.Clone(k.Args[i].Words)
		}
		kinds = append(kinds, k)
	}
	for _, name := range laterKinds {
		kinds = append(kinds, KindInfo{Name: name})
	}
	return kinds
}

func builtKind(name string) (KindInfo, bool) {
	for _, k := range builtKinds {
		if k.Name == name {
			return k, true
		}
	}
	return KindInfo{}, false
}

func builtNames() []string {
	var names []string
	for _, k := range builtKinds {
		names = append(names, k.Name)
	}
	return names
}

// foreign are the arguments that only other kinds have.
func (k KindInfo) foreign() []string {
	var names []string
	for _, n := range kindArguments() {
		if !contains(kindsWith(n), k.Name) {
			names = append(names, n)
		}
	}
	return names
}

// kindArguments are the names of all arguments that some kind has.
func kindArguments() []string {
	var names []string
	for _, k := range builtKinds {
		for _, a := range k.Args {
			if !contains(names, a.Name) {
				names = append(names, a.Name)
			}
		}
	}
	return names
}

// kindsWith are the kinds that have an argument.
func kindsWith(arg string) []string {
	var names []string
	for _, k := range builtKinds {
		for _, a := range k.Args {
			if a.Name == arg {
				names = append(names, k.Name)
			}
		}
	}
	return names
}
