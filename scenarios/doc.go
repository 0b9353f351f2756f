// Package scenarios is the language: it loads scenario files, checks everything that can be checked before a run, and
// evaluates the conditions during one.
//
// A file that was loaded is right: a Workspace exists only when there is no error, and whoever gets one need not check
// again. Every mistake is a Diagnostic with its place and with what to do about it, and all of them are found in one go.
//
// The package knows nothing of Docker, of Prometheus and of time. It is the only one that imports hcl.
package scenarios
