package metrics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Probe is one job: endpoints that are asked again and again whether they answer. The outcome becomes series: probe_success, which
// is 0 for whatever goes wrong and never missing, probe_duration_seconds, and what its Asker measures.
//
// A refused connection takes no time at all, and must not pass for a quick answer. So probe_duration_seconds is there only if there
// was an answer, be it another than the expected one, or if the time ran out: then it took at least as long.
type Probe struct {
	Job   string
	Asker Asker
	// Interval is 0 for the engine's.
	Interval time.Duration
	// Timeout is at most the interval. 0 means that, or 10 seconds where that is shorter.
	Timeout time.Duration
	// Endpoints with an empty address have none at this time: they do not answer.
	Endpoints []Endpoint
}

// An Asker asks one endpoint whether it answers as it should: an HTTPProbe or a TCPProbe.
type Asker interface {
	// check says what is wrong with the settings.
	check() error
	// ask takes no longer than ctx lasts. It returns what it measured, and why that is a failure: errUnexpected where there was an
	// answer. What it could not measure is not among the samples.
	ask(ctx context.Context, address string) ([]Sample, error)
}

// errNoAddress is why an endpoint without an address does not answer.
var errNoAddress = errors.New("it has no address: it does not run")

// A prober asks the endpoints of all jobs, each at its own pace.
type prober struct {
	engine *Embedded
	ctx    context.Context
	cancel context.CancelFunc
	all    sync.WaitGroup
	loops  map[string]map[string]*probeLoop // by job and by the text of the labels
}

// A probeLoop asks one endpoint, wherever it is at the time.
type probeLoop struct {
	group  *Group
	cancel context.CancelFunc

	mu     sync.Mutex
	status TargetStatus
}

func newProber(e *Embedded) *prober {
	p := &prober{engine: e, loops: map[string]map[string]*probeLoop{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// set replaces the endpoints of a job. One that has the same labels as before goes on, at its new address; the series of one that is
// not there any more end.
func (p *prober) set(probe Probe, endpoints []Endpoint) {
	loops := p.loops[probe.Job]
	if loops == nil {
		loops = map[string]*probeLoop{}
		p.loops[probe.Job] = loops
	}
	stay := map[string]bool{}
	for _, ep := range endpoints {
		set := probeLabels(probe.Job, ep)
		key := labelText(set)
		stay[key] = true
		if l := loops[key]; l != nil {
			l.move(ep.Address)
			continue
		}
		ctx, cancel := context.WithCancel(p.ctx)
		l := &probeLoop{group: p.engine.Group(set), cancel: cancel, status: TargetStatus{Job: probe.Job, Address: ep.Address, Labels: set}}
		loops[key] = l
		p.all.Go(func() { l.run(ctx, probe) })
	}
	for key, l := range loops {
		if !stay[key] {
			l.cancel()
			delete(loops, key)
		}
	}
}

// probeLabels are those of an endpoint's series, as a scrape would have them.
func probeLabels(job string, ep Endpoint) map[string]string {
	set := map[string]string{"job": job, "instance": ep.Address}
	maps.Copy(set, ep.Labels)
	return set
}

// stop ends all loops.
func (p *prober) stop() {
	p.cancel()
	p.all.Wait()
}

func (p *prober) statuses() []TargetStatus {
	var out []TargetStatus
	for _, loops := range p.loops {
		for _, l := range loops {
			l.mu.Lock()
			out = append(out, l.status)
			l.mu.Unlock()
		}
	}
	return out
}

func (l *probeLoop) move(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Address = address
}

func (l *probeLoop) run(ctx context.Context, p Probe) {
	tick := time.NewTicker(p.Interval)
	defer tick.Stop()
	for {
		l.once(ctx, p)
		select {
		case <-ctx.Done():
			_ = l.group.Append(time.Now()) // fails only where everything has ended
			return
		case <-tick.C:
		}
	}
}

// once asks, and stores the outcome at the time when the question began, as that of a scrape.
func (l *probeLoop) once(ctx context.Context, p Probe) {
	l.mu.Lock()
	address := l.status.Address
	l.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	began := time.Now()
	var samples []Sample
	err := errNoAddress
	if address != "" {
		samples, err = p.Asker.ask(limited, address)
	}
	took := time.Since(began)
	if ctx.Err() != nil {
		return // cut short by the end of the loop: that says nothing about the endpoint
	}
	late := ranOut(limited, err)
	if late {
		err = fmt.Errorf("no answer within %s (%w)", p.Timeout, err)
	}
	samples = append(samples, Sample{Name: "probe_success", Value: truth(err == nil)})
	if late || answered(err) {
		samples = append(samples, Sample{Name: "probe_duration_seconds", Value: took.Seconds()})
	}
	stored := l.group.Append(began, samples...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Up, l.status.LastScrape, l.status.LastError = err == nil, began, ""
	if err := errors.Join(err, stored); err != nil {
		l.status.LastError = err.Error()
	}
}

// ranOut says whether a question failed because its time was over. A connection notices that a little earlier than its context.
func ranOut(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded))
}

// answered says whether a question had a whole answer, expected or not.
func answered(err error) bool { return err == nil || errors.Is(err, errUnexpected) }

// checkProbes completes the settings of probes. jobs are the names that are taken.
func checkProbes(probes []Probe, interval time.Duration, jobs map[string]bool) error {
	for i := range probes {
		p := &probes[i]
		if p.Job == "" {
			return errors.New("a probe has no name")
		}
		if jobs[p.Job] {
			return fmt.Errorf("the job %q is there twice: give each scrape and each probe its own name", p.Job)
		}
		jobs[p.Job] = true
		p.Interval = cmp.Or(p.Interval, interval)
		if err := checkInterval(fmt.Sprintf("the interval of the probe %q", p.Job), p.Interval); err != nil {
			return err
		}
		p.Timeout = cmp.Or(p.Timeout, min(p.Interval, longestScrape))
		if p.Timeout < 0 || p.Timeout > p.Interval {
			return fmt.Errorf("the timeout of the probe %q is %s, and it has to be at most its interval of %s", p.Job, p.Timeout, p.Interval)
		}
		if p.Asker == nil {
			return fmt.Errorf("the probe %q does not say what to ask", p.Job)
		}
		if err := p.Asker.check(); err != nil {
			return fmt.Errorf("the probe %q: %w", p.Job, err)
		}
		p.Endpoints = copyEndpoints(p.Endpoints)
		if err := checkProbed(p.Job, p.Endpoints); err != nil {
			return err
		}
	}
	return nil
}

// checkProbed is checkEndpoints for those that may have no address.
func checkProbed(job string, endpoints []Endpoint) error {
	for _, ep := range endpoints {
		ep.Address = cmp.Or(ep.Address, "none")
		if err := checkEndpoints(job, []Endpoint{ep}); err != nil {
			return err
		}
	}
	return nil
}

// setProbed is SetEndpoints for a probe, and says whether the job is one. The caller holds the mutex.
func (e *Embedded) setProbed(job string, endpoints []Endpoint) bool {
	i := slices.IndexFunc(e.config.Probes, func(p Probe) bool { return p.Job == job })
	if i < 0 {
		return false
	}
	usable := []Endpoint{}
	for _, ep := range endpoints {
		if err := checkProbed(job, []Endpoint{ep}); err != nil {
			e.log(err.Error())
			continue
		}
		usable = append(usable, ep)
	}
	p := &e.config.Probes[i]
	p.Endpoints = copyEndpoints(usable)
	if e.state == stateRunning {
		e.prober.set(*p, p.Endpoints)
	}
	return true
}

// Probes lists how each probed endpoint answered last, in the order of job and labels; none before Start. LastScrape is zero before
// the first answer, and LastError says why one failed.
func (e *Embedded) Probes() []TargetStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != stateRunning {
		return nil
	}
	out := e.prober.statuses()
	slices.SortFunc(out, func(a, b TargetStatus) int {
		return cmp.Or(strings.Compare(a.Job, b.Job), strings.Compare(labelText(a.Labels), labelText(b.Labels)))
	})
	return out
}
