package shop

import (
	"embed"
	"io/fs"
)

//go:embed *.gameday.hcl alerts.yml
var scenarioFiles embed.FS

// Scenarios holds the shop's scenario files and the alerting rules that they name, ready to be copied to a directory.
var Scenarios fs.FS = scenarioFiles
