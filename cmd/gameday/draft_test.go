package main

import (
	"encoding/json"
	"os"
)

// A draft is what the tests read of report.json.
type draft struct {
	Run        string
	Outcome    string
	Complete   bool
	Hypotheses []struct {
		Name    string
		Verdict string
	}
}

func readDraft(path string) (d draft, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(b, &d)
}

func (d draft) verdict(hypothesis string) string {
	for _, h := range d.Hypotheses {
		if h.Name == hypothesis {
			return h.Verdict
		}
	}
	return ""
}
