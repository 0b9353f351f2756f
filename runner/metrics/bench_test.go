package metrics

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	// exporterProcess makes this test binary serve what the benchmark scrapes: in a process of its own, so that only the engine's
	// work is measured.
	exporterProcess = "GAMEDAY_BENCH_EXPORTER"

	benchTargets, benchSeries = 100, 500
)

// serveBench serves as many targets as there are, each at an address of its own and all at one port, which it prints, until its
// stdin ends.
func serveBench() {
	var scrapes atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := scrapes.Add(1)
		var b strings.Builder
		for i := range benchSeries {
			b.WriteString("bench_total{series=\"")
			b.WriteString(strconv.Itoa(i))
			b.WriteString("\",code=\"200\"} ")
			b.WriteString(strconv.FormatInt(n*int64(i), 10))
			b.WriteByte('\n')
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		io.WriteString(w, b.String())
	})
	port := "0"
	for i := range benchTargets {
		l, err := net.Listen("tcp", benchAddress(i, port))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		go http.Serve(l, handler)
	}
	fmt.Println(port)
	io.Copy(io.Discard, os.Stdin)
}

func benchAddress(i int, port string) string { return fmt.Sprintf("127.0.1.%d:%s", i+1, port) }

// BenchmarkEmbedded100TargetsOf500Series scrapes every second, for ten seconds after a warm-up, and reports the cores that takes,
// and the resident memory of the process.
func BenchmarkEmbedded100TargetsOf500Series(b *testing.B) {
	exporter := exec.Command(os.Args[0])
	exporter.Env = append(os.Environ(), exporterProcess+"=1")
	exporter.Stderr = os.Stderr
	in, err := exporter.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := exporter.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := exporter.Start(); err != nil {
		b.Fatal(err)
	}
	defer exporter.Wait()
	defer in.Close()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	job := Scrape{Job: "bench"}
	for i := range benchTargets {
		job.Endpoints = append(job.Endpoints, Endpoint{Address: benchAddress(i, strings.TrimSpace(line))})
	}
	e, err := NewEmbedded(EmbeddedConfig{Dir: b.TempDir(), Interval: time.Second, Scrapes: []Scrape{job}})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	if err := e.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		res, err := e.Query(b.Context(), "count(bench_total)", time.Now())
		if err != nil {
			b.Fatal(err)
		}
		if len(res.Series) == 1 && res.Series[0].Value == benchTargets*benchSeries {
			break
		}
		if time.Now().After(end) {
			b.Fatalf("not everything is scraped: %+v", res)
		}
	}
	time.Sleep(2 * time.Second) // the series are made by the first scrape
	began, used := time.Now(), cpuTime(b)
	for b.Loop() {
		time.Sleep(10 * time.Second)
	}
	b.ReportMetric((cpuTime(b)-used).Seconds()/time.Since(began).Seconds(), "cores")
	b.ReportMetric(float64(resident(b))/1e6, "MB")
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// resident is the memory of this process, in bytes.
func resident(b *testing.B) int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
