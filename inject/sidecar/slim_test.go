package sidecar

import (
	"fmt"
	"os"
	"testing"
)

// A binary that was let go of works on.
func TestLetGoOfBinary(t *testing.T) {
	for range 3 {
		letGoOfBinary()
		if b, err := os.ReadFile("/proc/self/status"); err != nil || len(fmt.Sprintf("%q", b)) == 0 {
			t.Errorf("%q, %v", b, err)
		}
	}
}
