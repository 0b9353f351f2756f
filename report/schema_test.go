package report

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// conform checks a value against the part of JSON schema that report.schema.json uses. A keyword that it does not know is an
// error, so that nothing in the schema goes unchecked.
func conform(root, schema map[string]any, v any, path string) []string {
	var errs []string
	bad := func(format string, args ...any) { errs = append(errs, path+": "+fmt.Sprintf(format, args...)) }
	for keyword, arg := range schema {
		switch keyword {
		case "$schema", "$id", "$defs", "title", "description", "format":
		case "$ref":
			def := root["$defs"].(map[string]any)[strings.TrimPrefix(arg.(string), "#/$defs/")]
			errs = append(errs, conform(root, def.(map[string]any), v, path)...)
		case "type":
			if !isType(arg, v) {
				bad("is %T, want %v", v, arg)
			}
		case "const":
			if !reflect.DeepEqual(arg, v) {
				bad("is %v, want %v", v, arg)
			}
		case "enum":
			if !slices.ContainsFunc(arg.([]any), func(x any) bool { return reflect.DeepEqual(x, v) }) {
				bad("is %v, want one of %v", v, arg)
			}
		case "pattern":
			if s, ok := v.(string); ok && !regexp.MustCompile(arg.(string)).MatchString(s) {
				bad("%q does not match %s", s, arg)
			}
		case "minItems":
			if list, ok := v.([]any); ok && len(list) < int(arg.(float64)) {
				bad("has %d items", len(list))
			}
		case "minimum":
			if n, ok := v.(float64); ok && n < arg.(float64) {
				bad("is %v", n)
			}
		case "anyOf":
			matched := false
			for _, s := range arg.([]any) {
				matched = matched || len(conform(root, s.(map[string]any), v, path)) == 0
			}
			if !matched {
				bad("is %v, which no alternative allows", v)
			}
		case "items":
			list, _ := v.([]any)
			for i, item := range list {
				errs = append(errs, conform(root, arg.(map[string]any), item, fmt.Sprintf("%s[%d]", path, i))...)
			}
		case "required":
			if object, ok := v.(map[string]any); ok {
				for _, key := range arg.([]any) {
					if _, there := object[key.(string)]; !there {
						bad("lacks %v", key)
					}
				}
			}
		case "properties":
			if object, ok := v.(map[string]any); ok {
				for key, value := range object {
					if s, known := arg.(map[string]any)[key]; known {
						errs = append(errs, conform(root, s.(map[string]any), value, path+"."+key)...)
					}
				}
			}
		case "additionalProperties":
			object, _ := v.(map[string]any)
			for key, value := range object {
				if p, ok := schema["properties"].(map[string]any); ok && p[key] != nil {
					continue
				}
				if s, ok := arg.(map[string]any); ok {
					errs = append(errs, conform(root, s, value, path+"."+key)...)
				} else if arg == false {
					bad("has %q, which the schema does not know", key)
				}
			}
		default:
			bad("the check does not know the keyword %q", keyword)
		}
	}
	return errs
}

func isType(want, v any) bool {
	if list, ok := want.([]any); ok {
		return slices.ContainsFunc(list, func(t any) bool { return isType(t, v) })
	}
	switch v := v.(type) {
	case nil:
		return want == "null"
	case bool:
		return want == "boolean"
	case string:
		return want == "string"
	case float64:
		return want == "number" || want == "integer" && v == math.Trunc(v)
	case []any:
		return want == "array"
	case map[string]any:
		return want == "object"
	}
	return false
}

func TestConformFindsMistakes(t *testing.T) {
	schema := map[string]any{"type": "object", "required": []any{"a"}, "additionalProperties": false, "properties": map[string]any{"a": map[string]any{"type": "integer"}}}
	for want, v := range map[int]any{0: map[string]any{"a": 1.0}, 1: map[string]any{}, 2: map[string]any{"a": "x", "b": 1.0}} {
		if got := conform(schema, schema, v, "x"); len(got) != want {
			t.Errorf("%v: %v", v, got)
		}
	}
}

// The golden files keep to the schema as they stand, and every field of the schema that is not plain by its name says what it is.
func TestGoldenJSONKeepsToTheSchema(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(Schema, &schema); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d golden files: %v", len(files), err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, e := range conform(schema, schema, v, "report") {
			t.Errorf("%s: %s", path, e)
		}
	}
	// What a program that decides on a release needs is there, with its explanation.
	defs := schema["$defs"].(map[string]any)
	for def, fields := range map[string][]string{
		"hypothesis": {"verdict", "reason", "margin", "held_again", "first_violation", "recovered_before_undo", "phases", "evidence"},
		"alert":      {"verdict", "reason", "pending", "firing", "resolved", "evidence"},
		"guardrail":  {"tripped", "blind", "closest", "evidence"},
		"fault":      {"effect", "gone", "open", "evidence"},
	} {
		d, _ := defs[def].(map[string]any)
		properties, _ := d["properties"].(map[string]any)
		for _, f := range fields {
			if properties[f] == nil {
				t.Errorf("the schema has no %s of a %s", f, def)
			}
		}
	}
}
