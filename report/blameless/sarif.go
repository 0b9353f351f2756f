package blameless

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool     `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifRule struct {
	ID            string    `json:"id"`
	Short         sarifText `json:"shortDescription"`
	Full          sarifText `json:"fullDescription"`
	Help          sarifText `json:"help"`
	Configuration struct {
		Level string `json:"level"`
	} `json:"defaultConfiguration"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region sarifRegion `json:"region"`
	} `json:"physicalLocation"`
}

type sarifRegion struct {
	StartLine   int       `json:"startLine"`
	StartColumn int       `json:"startColumn"`
	EndLine     int       `json:"endLine"`
	EndColumn   int       `json:"endColumn"`
	Snippet     sarifText `json:"snippet"`
}

var sarifLevels = map[Severity]string{Error: "error", Warning: "warning", Suggestion: "note"}

// SARIF writes findings as SARIF 2.1.0, which code hosts show beside the lines. version is that of gameday. The fingerprint of a finding
// is made of its file, its rule, its words, and of how many like it stand before it; so it stays the same when lines move.
func SARIF(findings []Finding, version string) ([]byte, error) {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "gameday lint", Version: version}}, ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	index := map[string]int{}
	for i, r := range table().rules {
		rule := sarifRule{ID: r.ID, Short: sarifText{r.Flags}, Full: sarifText{strings.TrimSpace("Instead: " + r.Instead + ". " + r.hides)}, Help: sarifText{r.ask + " Source: " + r.Source}}
		rule.Configuration.Level = sarifLevels[r.Severity]
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule)
		index[r.ID] = i
	}
	seen := map[string]int{}
	for _, f := range findings {
		key := f.File + "\x00" + f.Rule + "\x00" + strings.ToLower(f.Quote)
		print := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, seen[key]))
		seen[key]++
		out := sarifResult{RuleID: f.Rule, RuleIndex: index[f.Rule], Level: sarifLevels[f.Severity], Message: sarifText{fmt.Sprintf("%q: %s %s", f.Quote, f.Hides, f.Ask)},
			Fingerprints: map[string]string{"gamedayLint/v1": fmt.Sprintf("%x", print[:16])}}
		var at sarifLocation
		at.Physical.Artifact.URI = fileURI(f.File)
		at.Physical.Region = sarifRegion{f.Line, f.Column, f.EndLine, f.EndColumn, sarifText{f.Quote}}
		out.Locations = []sarifLocation{at}
		run.Results = append(run.Results, out)
	}
	b, err := json.MarshalIndent(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}}, "", "  ")
	return append(b, '\n'), err
}

// fileURI is a path as SARIF wants it: a reference that is relative where the path is.
func fileURI(path string) string {
	u := url.URL{Path: filepath.ToSlash(path)}
	if filepath.IsAbs(path) {
		u.Scheme = "file"
	}
	return u.String()
}
