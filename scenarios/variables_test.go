package scenarios

import (
	"strings"
	"testing"
)

const oneVariable = `
variable "x" {
  type    = string
  default = "default"
}

variable "list" {
  type    = list(number)
  default = []
}

variable "object" {
  type    = object({ a = string, b = optional(number, 7), c = optional(bool) })
  default = { a = "x" }
}
`

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, p := range pairs {
			if k, v, _ := strings.Cut(p, "="); k == name {
				return v, true
			}
		}
		return "", false
	}
}

func TestPrecedence(t *testing.T) {
	dir := t.TempDir()
	first := write(t, dir, "1.gamedayvars.hcl", "x = \"first file\"\n")
	second := write(t, dir, "2.gamedayvars.json", `{"x": "second file"}`)
	for _, c := range []struct {
		want string
		o    Options
	}{
		{`"default"`, Options{}},
		{`"env"`, Options{Env: env("GAMEDAY_VAR_x=env")}},
		{`"first file"`, Options{Env: env("GAMEDAY_VAR_x=env"), VarFiles: []string{first}}},
		{`"second file"`, Options{Env: env("GAMEDAY_VAR_x=env"), VarFiles: []string{first, second}}},
		{`"flag=2"`, Options{Env: env("GAMEDAY_VAR_x=env"), VarFiles: []string{first}, Vars: []string{"x=flag", "x=flag=2"}}},
	} {
		ws := mustLoad(t, small(oneVariable), c.o)
		if got := ws.Variables[2].Value; got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	ws := mustLoad(t, small(oneVariable), Options{Vars: []string{"list=[1, 2]"}})
	if ws.Variables[0].Value != "[1,2]" || ws.Variables[1].Value != `{"a":"x","b":7,"c":null}` {
		t.Errorf("%+v", ws.Variables)
	}
}

func TestWrongValues(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, file, want, detail string
		o                        Options
	}{
		{name: "unknown", file: "-var y", want: "Unknown variable", detail: "Known are list, object and x.", o: Options{Vars: []string{"y=1"}}},
		{name: "typo", file: "-var lisst", want: "Unknown variable", detail: "Did you mean list?", o: Options{Vars: []string{"lisst=1"}}},
		{name: "no value", file: "-var", want: "No value given", detail: `"name=value"`, o: Options{Vars: []string{"x"}}},
		{name: "type", file: "-var list", want: "Wrong type for variable", detail: "list(number)", o: Options{Vars: []string{`list=["a"]`}}},
		{name: "syntax", file: "-var list", want: "Value cannot be read", detail: "as in a file", o: Options{Vars: []string{"list=["}}},
		{name: "deep", file: "-var list", want: "Value too large", o: Options{Vars: []string{"list=" + strings.Repeat("[", 100_000)}}},
		{name: "environment", file: "GAMEDAY_VAR_list", want: "Wrong type for variable", o: Options{Env: env("GAMEDAY_VAR_list={}")}},
		{name: "file", file: "f.gamedayvars.hcl", want: "Unknown variable", detail: "Did you mean list?", o: Options{VarFiles: []string{write(t, dir, "f.gamedayvars.hcl", "lst = 1\n")}}},
		{name: "file syntax", file: "g.gamedayvars.hcl", want: "Invalid expression", o: Options{VarFiles: []string{write(t, dir, "g.gamedayvars.hcl", "list = \n")}}},
		{name: "file with variables", file: "h.gamedayvars.hcl", want: "Variables not allowed", o: Options{VarFiles: []string{write(t, dir, "h.gamedayvars.hcl", "list = [a]\n")}}},
		{name: "no file", file: "none.gamedayvars.hcl", want: "No such file or directory", o: Options{VarFiles: []string{dir + "/none.gamedayvars.hcl"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, ds := load(t, small(oneVariable), c.o)
			if summaries(ds) != c.want || !strings.HasSuffix(ds[0].File, c.file) || !strings.Contains(ds[0].Detail, c.detail) {
				t.Errorf("got %s", view(ds))
			}
		})
	}
}

const secretive = `
variable "token" {
  sensitive = true
  default   = "hunter2-default"

  validation {
    condition     = var.token != "hunter2-condition" || true
    error_message = "Another one."
  }
}

variable "user" {
  default = "someone"
}

variable "traced" {
  default = "hunter2-traced"
}

locals {
  key     = "hunter2-local"
  harmless = "still here"
}

prometheus "one" {
  url = env("PROM", "http://localhost:9090")
  headers = {
    X-Key = "hunter2-header"
    "X-Other" = "Key ${local.key}"
    X-Env = env("NAME_OF_ENV", "hunter2-env")
  }
  basic_auth {
    username = var.user
    password = <<EOT
hunter2-heredoc
EOT
  }
  tls {
    key_file = env("KEY_FILE", "key.pem")
    cert_file = "cert.pem"
  }
}

prometheus "two" {
  url          = "http://localhost:9090"
  bearer_token = "hunter2-bearer"
}

prometheus "three" {
  url          = "http://localhost:9090"
  bearer_token = var.token
}

prometheus "four" {
  url = "http://localhost:9090"
  basic_auth {
    username = "me"
    password = "${var.traced}"
  }
}
prometheus "five" {
  url = "http://localhost:9090"
  basic_auth {
    username = "me"
    password = var.traced
  }
}
`

func TestSecretsAreRedacted(t *testing.T) {
	ws := mustLoad(t, small(secretive), Options{Env: env("PROM=http://secret-host:9090")})
	text := string(ws.Files[0].Redacted)
	if strings.Contains(text, "hunter2") || strings.Contains(text, "secret-host") {
		t.Errorf("a secret is left:\n%s", text)
	}
	for _, kept := range []string{"NAME_OF_ENV", "still here", "X-Other", "(redacted)", "someone", "X-Key"} {
		if !strings.Contains(text, kept) {
			t.Errorf("%q is gone:\n%s", kept, text)
		}
	}
	again := mustLoad(t, text, Options{})
	if len(again.Sources) != 5 {
		t.Error("the redacted text does not load")
	}
	for _, v := range ws.Variables {
		if strings.Contains(v.Value, "hunter2") {
			t.Errorf("%+v", v)
		}
	}
	one := ws.Sources[0]
	if !one.URLSecret || one.URL != "http://secret-host:9090" || one.Headers["X-Other"] != "Key hunter2-local" ||
		one.BasicAuth.Password != "hunter2-heredoc\n" || ws.Sources[1].URLSecret || ws.Sources[2].BearerToken != "hunter2-default" {
		t.Errorf("values: %+v", one)
	}

	ws, ds := Load("testdata/valid/json.gameday.json", Options{Env: noEnv})
	if ws == nil {
		t.Fatal(view(ds))
	}
	if text := string(ws.Files[0].Redacted); strings.Contains(text, "hunter") || !strings.Contains(text, `"password": "(redacted)"`) {
		t.Error(text)
	}
}

func TestSecretsAreNotInDiagnostics(t *testing.T) {
	for _, text := range []string{
		"prometheus \"p\" {\n  url = env(\"S\")\n}\n",
		"prometheus \"p\" {\n  url = \"http://localhost\"\n  headers = { A = \"${env(\"S\")}\\n\" }\n}\n",
		"prometheus \"p\" {\n  url = \"http://localhost\"\n  timeout = env(\"S\")\n}\n",
		"variable \"v\" {\n  sensitive = true\n  type = number\n}\n",
		"variable \"v\" {\n  sensitive = true\n  type = list(string)\n}\n",
		"target \"t\" {\n  labels = { \"${env(\"S\")}\" = \"x\" }\n}\n",
		"prometheus \"p\" {\n  url = \"http://me:hunter2@localhost\"\n}\n",
		"prometheus \"p\" {\n  url = \"me:hunter2@local host\"\n}\n",
		"prometheus \"p\" {\n  bearer_token = \"hunter2-l\"\n}\n",
		"variable \"w\" {\n  sensitive = true\n  type = number\n  default = \"hunter2-d\"\n}\n",
		"locals {\n  x = tonumber(env(\"S\"))\n  y = 1 + env(\"S\")\n}\n",
	} {
		_, ds := load(t, small(text), Options{Env: env("S=hunter2-x", "GAMEDAY_VAR_v=hunter2-v")})
		if !ds.HasErrors() {
			t.Errorf("no error for %s", text)
		}
		for _, d := range ds {
			if strings.Contains(d.Error()+d.Snippet, "hunter2") {
				t.Errorf("%s %s", d.Error(), d.Snippet)
			}
		}
	}
}

func TestEnvIsMissing(t *testing.T) {
	_, ds := load(t, small("prometheus \"p\" {\n  url = env(\"NOT_THERE\")\n}\n"), Options{})
	if len(ds) != 1 || !strings.Contains(ds[0].Detail, `"NOT_THERE" is not set`) {
		t.Errorf("%s", view(ds))
	}
}
