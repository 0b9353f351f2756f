package metrics

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(exporterProcess) != "" {
		serveBench()
		return
	}
	goleak.VerifyTestMain(m)
}
