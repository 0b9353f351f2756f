package runner

import (
	"gameday/runner/metrics"
	"gameday/scenarios"
)

// CheckQuery checks a query as far as it can be without asking anybody. A server may speak a dialect of PromQL, so only the
// embedded engine's queries must parse.
func CheckQuery(query string, s *scenarios.Source) error {
	if s != nil && s.URL != "" {
		return nil
	}
	return metrics.Check(query)
}

// CheckSelector checks a selector of series.
func CheckSelector(selector string) error { return metrics.CheckSelector(selector) }

// CheckRules reads a file of alerting and recording rules as Prometheus does.
func CheckRules(file string, text []byte) (alerts []string, err error) {
	return metrics.CheckRules(file, text)
}
