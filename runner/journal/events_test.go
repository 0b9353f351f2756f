package journal

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fill sets every field below v to something that is not zero, each to another value.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 11, 23, 1, 2, 3, *n, time.UTC)))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(`{"kind":"unpause","n":1}`)))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("ä <\"" + strings.Repeat("x", *n%7) + "\n")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n)*1e9 + 1)
	case reflect.Uint64:
		v.SetUint(math.MaxUint64 - uint64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.1)
	default:
		panic("a payload has a field of a kind that this test does not fill: " + v.Kind().String())
	}
}

func TestEveryKindSurvives(t *testing.T) {
	for kind, fresh := range kinds {
		t.Run(kind, func(t *testing.T) {
			n := 0
			full := fresh()
			fill(reflect.ValueOf(full).Elem(), &n)
			for _, p := range []Payload{full, fresh()} {
				if f, ok := p.(*FaultIntent); ok && f.Undo == nil {
					f.Undo = json.RawMessage("null")
				}
				in := Event{Seq: 7, Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Offset: Duration(time.Second), Actor: "runner", Payload: p}
				b, err := json.Marshal(in)
				if err != nil {
					t.Fatal(err)
				}
				if strings.ContainsRune(string(b), '\n') {
					t.Errorf("an event is more than one line: %s", b)
				}
				var out Event
				if err := json.Unmarshal(b, &out); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(in, out); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestUnknownKindsAreKept(t *testing.T) {
	const line = `{"seq":3,"time":"2026-01-02T03:04:05Z","offset":"1s","actor":"runner","kind":"alert.fired","data":{"later":[1,2]}}`
	var e Event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatal(err)
	}
	if u, ok := e.Payload.(*Unknown); !ok || u.Kind() != "alert.fired" {
		t.Fatalf("payload is %#v", e.Payload)
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != line {
		t.Errorf("written back as\n%s\nwas\n%s", b, line)
	}
}

func TestNumbers(t *testing.T) {
	for _, f := range []float64{0, 0.1, -1.5, 1e-320, math.MaxFloat64, math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)} {
		b, err := json.Marshal(Number(f))
		if err != nil {
			t.Fatal(err)
		}
		var back Number
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if got := float64(back); math.Float64bits(got) != math.Float64bits(f) && !(math.IsNaN(got) && math.IsNaN(f)) {
			t.Errorf("%v became %s and then %v", f, b, got)
		}
	}
	for _, bad := range []string{`"ten"`, `{}`, `1e999`, `true`} {
		var n Number
		if err := json.Unmarshal([]byte(bad), &n); err == nil {
			t.Errorf("%s was read as %v", bad, n)
		}
	}
}
