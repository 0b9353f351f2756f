package shop

import (
	"embed"
	"io/fs"
)

//go:embed *.gameday.hcl
var scenarioFiles embed.FS

// Scenarios holds the shop's scenario files, ready to be copied to a directory.
var Scenarios fs.FS = scenarioFiles
