package scenarios

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// BenchmarkValidate100 loads a directory of 100 scenario files.
func BenchmarkValidate100(b *testing.B) {
	dir := b.TempDir()
	whole, err := os.ReadFile("testdata/valid/whole.gameday.hcl")
	if err != nil {
		b.Fatal(err)
	}
	shared, scenario, ok := strings.Cut(string(whole), "scenario \"slow_payments\"")
	if !ok {
		b.Fatal("the fixture has no scenario")
	}
	if err := os.CopyFS(dir+"/rules", os.DirFS("testdata/valid/rules")); err != nil {
		b.Fatal(err)
	}
	write(b, dir, "shared.gameday.hcl", shared)
	for i := range 100 {
		write(b, dir, fmt.Sprintf("s%03d.gameday.hcl", i), fmt.Sprintf("scenario \"s%03d\"", i)+scenario)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ws, ds := Load(dir, Options{Env: noEnv}); ws == nil || len(ws.Scenarios) != 100 {
			b.Fatal(view(ds))
		}
	}
}
