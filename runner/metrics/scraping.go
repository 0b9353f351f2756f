package metrics

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
)

const (
	// reloadInterval is how soon new endpoints take effect. Prometheus's 5 seconds would be half a fault.
	reloadInterval = 50 * time.Millisecond
	// longestScrape is the scrape timeout, or the interval where that is shorter.
	longestScrape = 10 * time.Second
)

// A Scrape is one job: endpoints with the same path.
type Scrape struct {
	Job string
	// Scheme is "http" (which "" means too) or "https".
	Scheme string
	// Path is "/metrics" where it is "". It may have a query.
	Path string
	// Interval is 0 for the engine's.
	Interval  time.Duration
	Endpoints []Endpoint
}

// An Endpoint is one address to scrape.
type Endpoint struct {
	Address string // host:port
	// Labels go on every series of it. Without an "instance" the address is that.
	Labels map[string]string
}

// A TargetStatus says how the scraping of one endpoint goes.
type TargetStatus struct {
	Job        string
	Address    string
	Labels     map[string]string
	Up         bool
	LastScrape time.Time // zero before the first
	LastError  string    // "" when the last scrape went well
}

// scrapeConfig goes through the text form, since Prometheus refuses configurations that were not loaded. JSON is YAML.
func scrapeConfig(interval time.Duration, scrapes []Scrape) (*config.Config, error) {
	type object = map[string]any
	if err := checkInterval("the scrape interval", interval); err != nil {
		return nil, err
	}
	jobs := []object{}
	for _, s := range scrapes {
		if s.Job == "" {
			return nil, fmt.Errorf("a scrape job has no name")
		}
		every := s.Interval
		if every == 0 {
			every = interval
		}
		if err := checkInterval(fmt.Sprintf("the interval of the scrape job %q", s.Job), every); err != nil {
			return nil, err
		}
		path, query, _ := strings.Cut(s.Path, "?")
		if path == "" {
			path = "/metrics"
		}
		if !strings.HasPrefix(path, "/") {
			return nil, fmt.Errorf("the path %q of the scrape job %q does not begin with a slash: write /%s", s.Path, s.Job, s.Path)
		}
		scheme := s.Scheme
		if scheme == "" {
			scheme = "http"
		}
		if scheme != "http" && scheme != "https" {
			return nil, fmt.Errorf("the scheme %q of the scrape job %q is neither http nor https", s.Scheme, s.Job)
		}
		job := object{
			"job_name":        s.Job,
			"scheme":          scheme,
			"metrics_path":    path,
			"scrape_interval": model.Duration(every).String(),
			"scrape_timeout":  model.Duration(min(every, longestScrape)).String(),
			// Small exporters send no content type; without this, nothing of them is read.
			"fallback_scrape_protocol": string(config.PrometheusText0_0_4),
			// A metric with a time of its own ends with its target, too. Without this it would stay answerable for five minutes.
			"track_timestamps_staleness": true,
			// Every container that starts or stops brings a host's exporter new series of a device with a random name.
			"metric_relabel_configs": []object{{"source_labels": []string{"device"}, "regex": "veth.*", "action": "drop"}},
		}
		if query != "" {
			params, err := url.ParseQuery(query)
			if err != nil {
				return nil, fmt.Errorf("the path %q of the scrape job %q has a query that cannot be read", s.Path, s.Job)
			}
			job["params"] = params
		}
		jobs = append(jobs, job)
	}
	text, err := json.Marshal(object{
		"global": object{
			"scrape_interval":     model.Duration(interval).String(),
			"scrape_timeout":      model.Duration(min(interval, longestScrape)).String(),
			"evaluation_interval": model.Duration(interval).String(),
		},
		"scrape_configs": jobs,
	})
	if err != nil {
		return nil, fmt.Errorf("the scrape jobs cannot be written down: %w", err)
	}
	loaded, err := config.Load(string(text), promslog.NewNopLogger())
	if err != nil {
		return nil, fmt.Errorf("the embedded Prometheus refuses the scrape jobs: %w", err)
	}
	return loaded, nil
}

func checkInterval(what string, d time.Duration) error {
	if d < 10*time.Millisecond || d%time.Millisecond != 0 {
		return fmt.Errorf("%s is %s: it has to be whole milliseconds, 10ms or more, such as 1s", what, d)
	}
	return nil
}

func checkEndpoints(job string, endpoints []Endpoint) error {
	for _, ep := range endpoints {
		if ep.Address == "" || strings.ContainsAny(ep.Address, "/?#@ ") {
			return fmt.Errorf("the address %q of the job %q is not host:port", ep.Address, job)
		}
		for name := range ep.Labels {
			if !model.LegacyValidation.IsValidLabelName(name) {
				return fmt.Errorf("the label %q of the endpoint %s is not a label name: use letters, digits and _", name, ep.Address)
			}
		}
	}
	return nil
}

func copyEndpoints(endpoints []Endpoint) []Endpoint {
	out := slices.Clone(endpoints)
	for i := range out {
		out[i].Labels = maps.Clone(out[i].Labels)
	}
	return out
}

// A scraper runs Prometheus's scrape manager, fed directly instead of by service discovery.
type scraper struct {
	manager *scrape.Manager
	groups  chan map[string][]*targetgroup.Group
	done    chan struct{} // closed when the manager has stopped
	once    sync.Once
}

func scrapeOptions() *scrape.Options {
	options := &scrape.Options{
		DiscoveryReloadInterval:  model.Duration(reloadInterval),
		DiscoveryReloadOnStartup: true,
	}
	// Prometheus looks up this machine's full name to spread its scrapes, and that lookup has no limit: where the name server
	// is away, nothing would be scraped for half a minute. Any name will do, but there is no public option for it.
	if name := reflect.ValueOf(options).Elem().FieldByName("fqdn"); name.IsValid() && name.Kind() == reflect.String {
		*(*string)(unsafe.Pointer(name.UnsafeAddr())) = "gameday"
	}
	return options
}

func startScraper(c EmbeddedConfig, db *tsdb.DB, log *slog.Logger, registry prometheus.Registerer) (*scraper, error) {
	loaded, err := scrapeConfig(c.Interval, c.Scrapes)
	if err != nil {
		return nil, err
	}
	manager, err := scrape.NewManager(scrapeOptions(), log, nil, nil, db, registry)
	if err != nil {
		return nil, err
	}
	if err := manager.ApplyConfig(loaded); err != nil {
		return nil, err
	}
	s := &scraper{manager: manager, groups: make(chan map[string][]*targetgroup.Group), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		// It returns nil only, after Stop.
		_ = manager.Run(s.groups)
	}()
	return s, nil
}

// set replaces all targets. Those which stay keep their series and their rhythm.
func (s *scraper) set(byJob map[string][]Endpoint) {
	groups := map[string][]*targetgroup.Group{}
	for job, endpoints := range byJob {
		list := []*targetgroup.Group{}
		for i, ep := range endpoints {
			set := model.LabelSet{}
			for name, value := range ep.Labels {
				set[model.LabelName(name)] = model.LabelValue(value)
			}
			list = append(list, &targetgroup.Group{
				Source:  fmt.Sprintf("%s/%d", job, i),
				Targets: []model.LabelSet{{model.AddressLabel: model.LabelValue(ep.Address)}},
				Labels:  set,
			})
		}
		groups[job] = list
	}
	s.send(groups)
}

func (s *scraper) send(groups map[string][]*targetgroup.Group) {
	select {
	case s.groups <- groups:
	case <-s.done:
	}
}

// stop ends all scraping. The manager may carry out one more reload after its Stop, and what that starts would never end:
// so it is left with nothing to start. It takes the second message only when it has put the first into force.
func (s *scraper) stop() {
	s.once.Do(func() {
		for range 2 {
			s.send(map[string][]*targetgroup.Group{})
		}
		s.manager.Stop()
	})
	<-s.done
}

func (s *scraper) targets() []TargetStatus {
	var out []TargetStatus
	builder := labels.NewBuilder(labels.EmptyLabels())
	for job, targets := range s.manager.TargetsActive() {
		for _, t := range targets {
			status := TargetStatus{
				Job: job, Address: t.URL().Host, Labels: t.Labels(builder).Map(),
				Up: t.Health() == scrape.HealthGood, LastScrape: t.LastScrape(),
			}
			if err := t.LastError(); err != nil {
				status.LastError = err.Error()
			}
			out = append(out, status)
		}
	}
	return out
}

// SetEndpoints replaces the endpoints of a job, within about 100 milliseconds: a target that restarted has a new address.
// An endpoint that stays keeps its series, and one with the same labels at a new address continues them. What cannot be used
// is left out, with a word to Log.
func (e *Embedded) SetEndpoints(job string, endpoints []Endpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.setProbed(job, endpoints) {
		return
	}
	if _, known := e.pending[job]; !known {
		e.log(fmt.Sprintf("no scrape or probe is called %q: its new endpoints are ignored", job))
		return
	}
	var usable []Endpoint
	for _, ep := range endpoints {
		if err := checkEndpoints(job, []Endpoint{ep}); err != nil {
			e.log(err.Error())
			continue
		}
		usable = append(usable, ep)
	}
	e.pending[job] = copyEndpoints(usable)
	if e.state == stateRunning {
		e.scraper.set(e.pending)
	}
}

// Targets lists what is being scraped, in the order of job and address. Before Start and after Close it is what would be.
func (e *Embedded) Targets() []TargetStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []TargetStatus
	if e.state == stateRunning {
		out = e.scraper.targets()
	} else {
		for job, endpoints := range e.pending {
			for _, ep := range endpoints {
				set := map[string]string{"job": job, "instance": ep.Address}
				maps.Copy(set, ep.Labels)
				out = append(out, TargetStatus{Job: job, Address: ep.Address, Labels: set})
			}
		}
	}
	slices.SortFunc(out, func(a, b TargetStatus) int {
		if a.Job != b.Job {
			return strings.Compare(a.Job, b.Job)
		}
		if a.Address != b.Address {
			return strings.Compare(a.Address, b.Address)
		}
		return strings.Compare(labelText(a.Labels), labelText(b.Labels))
	})
	return out
}
