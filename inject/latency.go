package inject

import (
	"fmt"
	"time"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// latency lets packets come late.
type latency struct{ packets }

// Doc describes latency.
func (latency) Doc() Doc {
	return netDoc(Doc{
		Kind:    "latency",
		Summary: "Delays packets of the container, as a slow line or a distant service does.",
		Args: []Arg{
			{Name: "delay", Type: "duration", Summary: "How long each packet is held."},
			{Name: "jitter", Type: "duration", Default: "0s", Summary: "By how much the delay varies, up and down."},
			{Name: "correlation", Type: "percent", Default: "0", Summary: "How much the delay of a packet follows that of the one before."},
		},
		Example: `fault "latency" "store_is_far" {
  target   = target.api
  peers    = [target.store]
  delay    = "200ms"
  jitter   = "20ms"
  duration = "30s"
}`,
	}, "egress")
}

// Plan says how long packets are held.
func (k latency) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	sel, err := selection(f, k.Doc(), "egress")
	if err != nil {
		return Step{}, err
	}
	delay, err := durationArg(f, "delay", 0)
	if err != nil {
		return Step{}, err
	}
	jitter, err := durationArg(f, "jitter", 0)
	if err != nil {
		return Step{}, err
	}
	correlation, err := percentArg(f, "correlation", 0)
	if err != nil {
		return Step{}, err
	}
	switch {
	case delay <= 0:
		return Step{}, fmt.Errorf("fault %q: latency needs a delay, such as delay = \"200ms\"", f.Name)
	case jitter > delay:
		return Step{}, fmt.Errorf("fault %q: jitter is %v and delay %v: no packet can come before it was sent; make jitter the smaller one", f.Name, jitter, delay)
	}
	by := delay.String()
	if jitter > 0 {
		by += " ± " + jitter.String()
	}
	spec := sidecar.NetSpec{Delay: delay, Jitter: jitter, Correlation: correlation}
	return planPackets(f, k.Doc(), c, h, sel, spec, packetQueue, "delay %s by "+by)
}

// durationArg reads an argument that is a time.
func durationArg(f Fault, name string, fallback time.Duration) (time.Duration, error) {
	v, ok := f.Args[name]
	if !ok {
		return fallback, nil
	}
	d, ok := v.(time.Duration)
	if !ok || d < 0 {
		return 0, fmt.Errorf("fault %q: %s must be a duration such as \"200ms\"", f.Name, name)
	}
	return d, nil
}

// percentArg reads an argument that is a share of a hundred.
func percentArg(f Fault, name string, fallback float64) (float64, error) {
	v, ok := f.Args[name]
	if !ok {
		return fallback, nil
	}
	p, ok := v.(float64)
	if !ok || !(p >= 0 && p <= 100) {
		return 0, fmt.Errorf("fault %q: %s must be a number from 0 to 100", f.Name, name)
	}
	return p, nil
}
