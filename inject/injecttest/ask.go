package injecttest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
)

// asking is a plain HTTP client to the engine that the docker command would ask: what the suite looks at does not come through
// gameday's own code, and starting the docker command for each look costs more than most tests.
var asking = sync.OnceValues(func() (*http.Client, error) {
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		host = "unix:///var/run/docker.sock"
	}
	u, err := url.Parse(host)
	if err != nil || u.Scheme != "unix" && u.Scheme != "tcp" {
		return nil, fmt.Errorf("DOCKER_HOST=%s is neither unix:// nor tcp://", host)
	}
	to := u.Host
	if u.Scheme == "unix" {
		to = u.Path
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, u.Scheme, to)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}, nil
})

// ask gets what the engine answers at a path of its API.
func ask(path string, answer any) error {
	c, err := asking()
	if err != nil {
		return err
	}
	r, err := c.Get("http://docker" + path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s\n%s", path, r.Status, body)
	}
	return json.Unmarshal(body, answer)
}

// inspect is what `docker inspect` says of a container.
func inspect(id string) (s Seen, err error) {
	err = ask("/containers/"+url.PathEscape(id)+"/json", &s)
	return s, err
}

// labelled are the ids of the containers with a label, by their names, as `docker ps -a` lists them.
func labelled(label string) (map[string]string, error) {
	filters, err := json.Marshal(map[string][]string{"label": {label}})
	if err != nil {
		return nil, err
	}
	var all []struct {
		ID    string
		Names []string
	}
	err = ask("/containers/json?all=1&filters="+url.QueryEscape(string(filters)), &all)
	found := map[string]string{}
	for _, c := range all {
		found[strings.TrimPrefix(c.Names[0], "/")] = c.ID
	}
	return found, err
}
