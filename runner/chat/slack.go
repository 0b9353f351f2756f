package chat

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"
)

type slackMessage struct {
	Type     string        `json:"type"`
	Subtype  string        `json:"subtype"`
	User     string        `json:"user"`
	Username string        `json:"username"`
	Bot      string        `json:"bot_id"`
	Text     string        `json:"text"`
	TS       string        `json:"ts"`
	Profile  *slackProfile `json:"user_profile"`
}

type slackProfile struct {
	Name        string `json:"name"`
	RealName    string `json:"real_name"`
	DisplayName string `json:"display_name"`
	FirstName   string `json:"first_name"`
	LastName    string `json:"last_name"`
	RealNorm    string `json:"real_name_normalized"`
	DisplayNorm string `json:"display_name_normalized"`
	Email       string `json:"email"`
}

func (p *slackProfile) names() []string {
	if p == nil {
		return nil
	}
	local, _, _ := strings.Cut(p.Email, "@")
	full := "" // a first name alone may be a word of many, such as Will
	if p.FirstName != "" && p.LastName != "" {
		full = p.FirstName + " " + p.LastName
	}
	return []string{p.Name, p.RealName, p.DisplayName, p.RealNorm, p.DisplayNorm, full, local}
}

// A slackUser is an entry of an export's users.
type slackUser struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	RealName string        `json:"real_name"`
	Profile  *slackProfile `json:"profile"`
	Username string        `json:"username"`
	Display  string        `json:"display_name"`
	Bot      bool          `json:"is_bot"`
}

// readSlack reads the JSON of a Slack export: a list of messages, or an object with "messages" and "users", the latter a list as in the export's
// users.json, or a map by id.
func readSlack(b []byte, all *people) (messages []raw, skipped int, err error) {
	var in struct {
		Messages []slackMessage  `json:"messages"`
		Users    json.RawMessage `json:"users"`
	}
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff")))
	if bytes.HasPrefix(b, []byte("[")) {
		err = json.Unmarshal(b, &in.Messages)
	} else {
		err = json.Unmarshal(b, &in)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("this is no Slack export: %w; it is a list of messages, or an object with messages and users", err)
	}
	if err := meetUsers(in.Users, all); err != nil {
		return nil, 0, err
	}
	for i, m := range in.Messages {
		if m.Type != "" && m.Type != "message" || m.Bot != "" || m.User == "" && m.Username == "" || m.Subtype != "" && !spoken[m.Subtype] {
			skipped++
			continue
		}
		at, err := slackTime(m.TS)
		if err != nil {
			return nil, 0, fmt.Errorf("message %d of the Slack export: %w", i+1, err)
		}
		who := all.meet(cmp.Or(m.User, m.Username), append([]string{m.Username}, m.Profile.names()...)...)
		for _, mention := range slackMention.FindAllStringSubmatch(m.Text, -1) {
			all.meet(mention[1], mention[2])
		}
		messages = append(messages, raw{at, who, slackText(m.Text)})
	}
	return messages, skipped, nil
}

// spoken are the subtypes of messages that people wrote.
var spoken = map[string]bool{"thread_broadcast": true, "file_share": true, "me_message": true}

func meetUsers(b json.RawMessage, all *people) error {
	if len(b) == 0 || string(b) == "null" {
		return nil
	}
	var list []slackUser
	if json.Unmarshal(b, &list) != nil {
		var byID map[string]slackUser
		if json.Unmarshal(b, &byID) != nil {
			return errors.New(`the "users" of the Slack export are neither a list nor a map by id`)
		}
		for _, id := range slices.Sorted(maps.Keys(byID)) {
			u := byID[id]
			u.ID = id
			list = append(list, u)
		}
	}
	for _, u := range list {
		if u.Bot || u.ID == slackbot {
			continue // what it is called, such as Grafana, is no name of a person
		}
		all.meet(u.ID, append([]string{u.Name, u.RealName, u.Username, u.Display}, u.Profile.names()...)...)
	}
	return nil
}

// slackbot is Slack's own account, which its users.json does not call a bot.
const slackbot = "USLACKBOT"

// slackTime reads "1763806060.000100": seconds since 1970.
func slackTime(ts string) (time.Time, error) {
	r, ok := new(big.Rat).SetString(ts)
	if !ok || len(ts) > 30 || strings.ContainsAny(ts, "eE/xX_") {
		return time.Time{}, fmt.Errorf("ts is %q and no time in seconds", ts)
	}
	ns := new(big.Int).Quo(new(big.Int).Mul(r.Num(), big.NewInt(1e9)), r.Denom())
	if !ns.IsInt64() || ns.Sign() <= 0 {
		return time.Time{}, fmt.Errorf("ts is %q, which is no time", ts)
	}
	return time.Unix(0, ns.Int64()).UTC(), nil
}

var (
	slackLink    = regexp.MustCompile(`<([^<>]*)>`)
	slackMention = regexp.MustCompile(`<@([^<>|]+)\|([^<>]*)>`)
)

// slackText is a message without Slack's own marks: mentions are @ and the id or the name, links their label and address.
func slackText(text string) string {
	text = slackLink.ReplaceAllStringFunc(text, func(mark string) string {
		target, label, labelled := strings.Cut(mark[1:len(mark)-1], "|")
		switch {
		case strings.HasPrefix(target, "@"):
			return target
		case strings.HasPrefix(target, "#") && label != "":
			return "#" + label
		case strings.HasPrefix(target, "!subteam^"): // a group of users is no person
			return cmp.Or(strings.TrimPrefix(label, "@"), "(a group)")
		case strings.HasPrefix(target, "!") && labelled:
			return label
		case strings.HasPrefix(target, "!"):
			return "@" + target[1:]
		case strings.HasPrefix(target, "mailto:"):
			return strings.TrimPrefix(target, "mailto:")
		case label != "" && label != target:
			return label + " (" + target + ")"
		}
		return target
	})
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(text)
}
