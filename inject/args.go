package inject

import (
	"fmt"
	"math"
)

// numberArg reads an argument that is a number.
func numberArg(f Fault, name string, fallback float64) (float64, error) {
	v, ok := f.Args[name]
	if !ok {
		return fallback, nil
	}
	n, ok := v.(float64)
	if !ok || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("fault %q: %s must be a number", f.Name, name)
	}
	return n, nil
}

// wholeArg reads an argument that is a whole number above 0; 0 if it was not given.
func wholeArg(f Fault, name string) (int64, error) { return countArg(f, name, "a whole number") }

// bytesArg reads an argument that is a size in bytes, or a throughput in bytes per second; 0 if it was not given.
func bytesArg(f Fault, name string) (int64, error) {
	return countArg(f, name, "an amount with a unit, such as \"64MiB\"")
}

func countArg(f Fault, name, what string) (int64, error) {
	v, ok := f.Args[name]
	if !ok {
		return 0, nil
	}
	n, ok := v.(int64)
	if !ok || n <= 0 {
		return 0, fmt.Errorf("fault %q: %s must be %s, above nothing", f.Name, name, what)
	}
	return n, nil
}
