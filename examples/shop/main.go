// Package shop is a small shop to rehearse failures on: a load generator, a frontend, two api replicas and a store, which
// run as containers from gameday's own binary and talk HTTP to each other.
//
//	load ──▶ frontend ──▶ api-1, api-2 ──▶ store
//
// It has one strength and one weakness, both on purpose. The frontend retries on the other replica and puts aside one that
// does not answer, so the death of a replica is hardly felt. The api waits for the store without a timeout, so a store that
// freezes makes requests pile up until nobody is served.
package shop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Port is where every role listens inside its container: its work, /healthz and /metrics.
const Port = 8080

// shutdownGrace is how long a role that was told to end waits for the requests in its hands.
const shutdownGrace = 2 * time.Second

// The environment variables that roles read.
const (
	envListen   = "SHOP_LISTEN"   // address to listen on, default ":8080"
	envFrontend = "SHOP_FRONTEND" // load: base URL of the frontend
	envAPIs     = "SHOP_APIS"     // frontend: base URLs of the api replicas, comma separated
	envStore    = "SHOP_STORE"    // api: base URL of the store
	envRate     = "SHOP_RATE"     // load: checkouts per second, 1 to 1000, default 40
)

// DefaultRate is the load in checkouts per second when nothing else is asked for.
const DefaultRate = 40

// maxRate keeps a mistyped rate from becoming an attack on the machine.
const maxRate = 1000

type config struct {
	listen, frontend, store string
	apis                    []string
	rate                    int
}

// roles run until ctx ends.
var roles = map[string]func(ctx context.Context, c config, stdout io.Writer) error{
	"load":     runLoad,
	"frontend": runFrontend,
	"api":      runAPI,
	"store":    runStore,
}

// Main runs one role of the shop: "load", "frontend", "api" or "store" until SIGINT or SIGTERM; or "health <url>", which
// answers by its exit code; or "maintenance on" and "maintenance off", which tell the api in the same container to take no
// checkouts, or to take them again. It returns 0, 1 when a role fails, or 2 when it is called wrongly.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, args, os.Getenv, stdout, stderr)
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) == 2 && args[0] == "health" {
		if err := health(ctx, args[1]); err != nil {
			fmt.Fprintln(stderr, err)
			return 1
		}
		return 0
	}
	if len(args) == 2 && args[0] == "maintenance" && maintenance[args[1]] != "" {
		if err := maintain(ctx, maintenance[args[1]], getenv); err != nil {
			fmt.Fprintln(stderr, err)
			return 1
		}
		return 0
	}
	if len(args) != 1 || roles[args[0]] == nil {
		names := make([]string, 0, len(roles))
		for name := range roles {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Fprintf(stderr, "shop: got %q: say one of %s, or health <url>, or maintenance on or off\n", args, strings.Join(names, ", "))
		return 2
	}
	c, err := readConfig(getenv)
	if err != nil {
		fmt.Fprintf(stderr, "shop %s: %v\n", args[0], err)
		return 2
	}
	if err := roles[args[0]](ctx, c, stdout); err != nil {
		fmt.Fprintf(stderr, "shop %s: %v\n", args[0], err)
		return 1
	}
	return 0
}

func readConfig(getenv func(string) string) (config, error) {
	get := func(name, otherwise string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return otherwise
	}
	c := config{
		listen:   get(envListen, ":"+strconv.Itoa(Port)),
		frontend: get(envFrontend, "http://frontend:8080"),
		store:    get(envStore, "http://store:8080"),
		apis:     strings.Split(get(envAPIs, "http://api-1:8080,http://api-2:8080"), ","),
	}
	rate := get(envRate, strconv.Itoa(DefaultRate))
	n, err := strconv.Atoi(rate)
	if err != nil || n < 1 || n > maxRate {
		return config{}, fmt.Errorf("%s is %q: set it to a whole number from 1 to %d", envRate, rate, maxRate)
	}
	c.rate = n
	return c, nil
}

// serve answers requests on addr until ctx ends, then lets those in its hands finish for a moment.
func serve(ctx context.Context, addr string, h http.Handler) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", addr, err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		srv.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newMux returns a mux that answers /healthz and /metrics, as every role does.
func newMux(m *meters) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.Handle("GET /metrics", m.handler())
	return mux
}

// newTransport returns a transport with its own connections, which gives up connecting after dial. Name look-up counts: the
// name of a dead container is unknown, and the answer to that may take long.
func newTransport(dial time.Duration) *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dial}).DialContext,
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 128,
		IdleConnTimeout:     30 * time.Second,
	}
}

func health(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	t := newTransport(time.Second)
	defer t.CloseIdleConnections()
	code, err := call(ctx, &http.Client{Transport: t}, http.MethodGet, url)
	if err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	if code != http.StatusOK {
		return fmt.Errorf("not healthy: %s answers %d", url, code)
	}
	return nil
}

// maintenance are the methods by which an api is told to take no checkouts, or to take them again.
var maintenance = map[string]string{"on": http.MethodPut, "off": http.MethodDelete}

// maintain tells the api that listens in this container.
func maintain(ctx context.Context, method string, getenv func(string) string) error {
	c, err := readConfig(getenv)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(c.listen)
	if err != nil {
		return fmt.Errorf("%s is %q: set it to an address such as :8080", envListen, c.listen)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	t := newTransport(time.Second)
	defer t.CloseIdleConnections()
	code, err := call(ctx, &http.Client{Transport: t}, method, "http://"+net.JoinHostPort(host, port)+"/maintenance")
	if err != nil {
		return fmt.Errorf("no api answers here: %w", err)
	}
	if code != http.StatusOK {
		return fmt.Errorf("what listens here is no api: it answers %d", code)
	}
	return nil
}

// call makes one request without a body and returns the status of its answer.
func call(ctx context.Context, client *http.Client, method, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	// The rest of a short answer is read so that the connection can be used again.
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)); err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}
