package chat

import "testing"

func TestParticipants(t *testing.T) {
	read := Result{Messages: []Message{{Role: "sre", Text: "look", Key: "a"}, {Role: "sre", Text: "ask participant-1", Key: "b"}, {Role: "participant-2", Text: "yes", Key: "c"}}}
	for what, tt := range map[string]struct {
		imported map[string]string
		words    []string
		want     int
	}{
		"nothing was imported":                   {nil, nil, 0},
		"the same chat":                          {map[string]string{"c": "participant-2 yes"}, []string{"participant-2", "yes"}, 0},
		"the same chat, which was not the first": {map[string]string{"c": "participant-5 yes"}, []string{"participant-5", "yes"}, 3},
		"known by who is mentioned":              {map[string]string{"b": "sre ask participant-4"}, []string{"sre", "ask participant-4"}, 3},
		"another chat":                           {map[string]string{"x": "participant-1 hm"}, []string{"participant-1", "hm", "participant-7 said so"}, 7},
		"nobody in it had a number":              {map[string]string{"a": "sre look", "x": "participant-2 hm"}, []string{"sre", "look", "participant-2", "hm"}, 2},
		"all had roles then":                     {map[string]string{"c": "dba yes"}, []string{"dba", "yes"}, 0},
		"no number of ours":                      {nil, []string{"participant-99999999999999999999"}, 0},
	} {
		if got := Participants(read, tt.imported, tt.words); got != tt.want {
			t.Errorf("%s: %d, want %d", what, got, tt.want)
		}
	}
}
