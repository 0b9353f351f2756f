package metrics_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gameday/runner/metrics"
)

func serveRecorded(t testing.TB, dir string) (base string) {
	t.Helper()
	server := httptest.NewServer(openRecorded(t, dir).Handler())
	t.Cleanup(server.Close)
	return server.URL
}

func seconds(n float64) string {
	return strconv.FormatFloat(float64(second(n).UnixMilli())/1000, 'f', 3, 64)
}

func TestServe(t *testing.T) {
	base := serveRecorded(t, record(t, false))
	for _, x := range []struct {
		name, path, form string
		status           int
		want             string // the whole body, or with … what is in it
	}{
		{"vector", "/api/v1/query", `query=odd{kind="tiny"}&time=` + seconds(10), 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"odd","kind":"tiny"},"value":[` + strings.TrimSuffix(seconds(10), ".000") + `,"1e-09"]}]}}` + "\n"},
		{"scalar", "/api/v1/query", "query=1%2B1&time=12.5", 200, `{"status":"success","data":{"resultType":"scalar","result":[12.5,"2"]}}` + "\n"},
		{"string", "/api/v1/query", `query="a\"b"&time=1`, 200, `{"status":"success","data":{"resultType":"string","result":[1,"a\"b"]}}` + "\n"},
		{"empty", "/api/v1/query", "query=nothing_here&time=1", 200, `{"status":"success","data":{"resultType":"vector","result":[]}}` + "\n"},
		{"no time is the last", "/api/v1/query", `query=time()`, 200, `…` + seconds(299.137)},
		{"RFC 3339", "/api/v1/query", "query=time()&time=2026-11-26T10:00:00.5Z", 200, `…1795687200.5`},
		{"range", "/api/v1/query_range", `query=odd{kind="inf"}&step=1s&start=` + seconds(10) + "&end=" + seconds(11), 200, `…"+Inf"],[`},
		{"infos", "/api/v1/query", "query=rate(temperature[10s])&time=" + seconds(50), 200, `…"infos":["PromQL info`},
		{"limited", "/api/v1/query", "query=odd&limit=2&time=" + seconds(9), 200, `…"warnings":["results truncated due to limit"]`},
		{"series", "/api/v1/series", `match[]=up&match[]={__name__="up",instance="a:8080"}`, 200,
			`{"status":"success","data":[{"__name__":"up","instance":"a:8080","job":"shop"},{"__name__":"up","instance":"b:8080","job":"shop"}]}` + "\n"},
		{"series at another time", "/api/v1/series", "match[]=up&end=5", 200, `{"status":"success","data":[]}` + "\n"},
		{"labels", "/api/v1/labels", "", 200, `{"status":"success","data":["__name__","code","instance","job","kind","le","room"]}` + "\n"},
		{"labels of some", "/api/v1/labels", "match[]=odd", 200, `{"status":"success","data":["__name__","kind"]}` + "\n"},
		{"values", "/api/v1/label/instance/values", "", 200, `{"status":"success","data":["a:8080","b:8080"]}` + "\n"},
		{"values of none", "/api/v1/label/nothing/values", "", 200, `{"status":"success","data":[]}` + "\n"},
		{"values, limited", "/api/v1/label/instance/values", "limit=1", 200, `…"data":["a:8080"],"warnings":["results truncated`},
		{"metadata", "/api/v1/metadata", "", 200, `{"status":"success","data":{}}` + "\n"},
		{"buildinfo", "/api/v1/status/buildinfo", "", 200, `…"version":"`},
		{"rules", "/api/v1/rules", "", 200, `{"status":"success","data":{"groups":[]}}` + "\n"},
		{"alerts", "/api/v1/alerts", "", 200, `{"status":"success","data":{"alerts":[]}}` + "\n"},

		{"syntax", "/api/v1/query", "query=sum(", 400, `…"errorType":"bad_data","error":"not valid PromQL at line 1`},
		{"no query", "/api/v1/query", "", 400, `…"errorType":"bad_data"`},
		{"too long", "/api/v1/query", "query=" + strings.Repeat("(", 20000), 400, `…"errorType":"bad_data"`},
		{"execution", "/api/v1/query", "query=up*on()up&time=" + seconds(10), 422, `…"errorType":"execution"`},
		{"time", "/api/v1/query", "query=up&time=yesterday", 400, `…invalid parameter \"time\"`},
		{"time that is none", "/api/v1/query", "query=up&time=NaN", 400, `…invalid parameter \"time\"`},
		{"far time", "/api/v1/query", "query=up&time=1e300", 400, `…invalid parameter \"time\"`},
		{"timeout", "/api/v1/query", "query=up&timeout=soon", 400, `…invalid parameter \"timeout\"`},
		{"limit", "/api/v1/query", "query=up&limit=-1", 400, `…invalid parameter \"limit\"`},
		{"too many steps", "/api/v1/query_range", "query=up&step=1&start=0&end=1e9", 400, `…11000 steps`},
		{"step", "/api/v1/query_range", "query=up&step=0", 400, `…"errorType":"bad_data"`},
		{"backwards", "/api/v1/query_range", "query=up&step=1&start=10&end=5", 400, `…ends before`},
		{"no selector", "/api/v1/series", "", 400, `…no match[] parameter`},
		{"no matcher", "/api/v1/series", "match[]={}", 400, `…non-empty matcher`},
		{"label name", "/api/v1/label/%ff/values", "", 400, `…invalid label name`},
		{"nothing there", "/api/v1/admin/tsdb/delete_series", "match[]=up", 404, `…"errorType":"not_found"`},
	} {
		t.Run(x.name, func(t *testing.T) {
			form := escaped(x.form)
			for _, method := range []string{"GET", "POST"} {
				target, body := base+x.path+"?"+form, ""
				if method == "POST" {
					target, body = base+x.path, form
				}
				request, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				if method == "POST" {
					request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				}
				status, got := do(t, request)
				part, some := strings.CutPrefix(x.want, "…")
				if status != x.status || some && !strings.Contains(got, part) || !some && got != x.want {
					t.Errorf("%s: %d %s\nwant %d %s", method, status, got, x.status, x.want)
				}
				if !json.Valid([]byte(got)) {
					t.Errorf("%s: not JSON: %s", method, got)
				}
			}
		})
	}
	for _, path := range []string{"/-/healthy", "/-/ready", "/"} {
		request, _ := http.NewRequestWithContext(t.Context(), "GET", base+path, nil)
		if status, text := do(t, request); status != 200 || text == "" {
			t.Errorf("%s: %d %q", path, status, text)
		}
	}
	for host, want := range map[string]int{"localhost:9090": 200, "127.0.0.1": 200, "[::1]:80": 200, "evil.example": 403, "127.0.0.1.evil.example:80": 403, "10.0.0.1": 403} {
		request, _ := http.NewRequestWithContext(t.Context(), "GET", base+"/api/v1/labels", nil)
		request.Host = host
		if status, text := do(t, request); status != want {
			t.Errorf("host %s: %d %s", host, status, text)
		}
	}
	request, _ := http.NewRequestWithContext(t.Context(), "POST", base+"/api/v1/query", strings.NewReader("query="+strings.Repeat("1", 2<<20)))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if status, text := do(t, request); status != 400 {
		t.Errorf("a form without end: %d %s", status, text)
	}
}

// escaped escapes the values of a form that is written plainly; what is escaped already stays.
func escaped(form string) string {
	if form == "" {
		return ""
	}
	var out []string
	for _, pair := range strings.Split(form, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.Contains(value, "%") {
			value = url.QueryEscape(value)
		}
		out = append(out, url.QueryEscape(name)+"="+value)
	}
	return strings.Join(out, "&")
}

func do(t *testing.T, request *http.Request) (status int, text string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(b)
}

// gameday's own client of Prometheus servers reads what is served, and finds the same as without the detour.
func TestServedAnswersAreTheSame(t *testing.T) {
	dir := record(t, false)
	direct := openRecorded(t, dir)
	server, err := metrics.NewServer(metrics.ServerConfig{Name: "served", URL: serveRecorded(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if server.Info().Version == "" {
		t.Error("it does not tell its version")
	}
	for _, query := range sameQueries {
		want, err := direct.Query(t.Context(), query, second(140))
		if err != nil {
			t.Fatal(query, err)
		}
		got, err := server.Query(t.Context(), query, second(140))
		if err != nil {
			t.Fatal(query, err)
		}
		if d := cmp.Diff(want.Series, got.Series, sameValues); d != "" {
			t.Errorf("%s (-direct +served):\n%s", query, d)
		}
	}
}
