package chat

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// usersFile is at the top of a Slack export, and tells what everybody is called.
const usersFile = "users.json"

// mostExport bounds what is read of an export, in bytes.
const mostExport = 256 << 20

// An Export is what Slack gives out, as an archive or unpacked.
type Export interface {
	fs.FS
	io.Closer
}

type directory struct{ fs.FS }

func (directory) Close() error { return nil }

// FindExport finds the export that a path is, or lies in: a zip, a directory, or a file of messages in one; within is the channel or file that the
// path names. It is nil, without an error, where the path is anything else, such as a file that stands alone.
func FindExport(name string) (export Export, within string, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, "", nil // who reads the file says so
	}
	if !info.IsDir() && strings.EqualFold(filepath.Ext(name), ".zip") {
		z, err := zip.OpenReader(name)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", name, err)
		}
		return z, "", nil
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, "", err
	}
	root := abs
	for range 3 { // the export itself, the directory of a channel in it, and a file in that
		if _, err := os.Stat(filepath.Join(root, usersFile)); err == nil {
			rel, err := filepath.Rel(root, abs)
			if err != nil {
				return nil, "", err
			}
			if within = filepath.ToSlash(rel); within == "." {
				within = ""
			}
			if _, plain := dayOf(within); within != "" && !info.IsDir() && (!plain || path.Dir(within) == ".") {
				return nil, "", nil // a file of somebody's own, which only lies there
			}
			return directory{os.DirFS(root)}, within, nil
		}
		root = filepath.Dir(root)
	}
	if info.IsDir() { // which may have the export in a directory of its own, or be none
		return directory{os.DirFS(abs)}, "", nil
	}
	return nil, "", nil
}

// dayOf is the day whose messages a file of an export has.
func dayOf(name string) (time.Time, bool) {
	day, err := time.Parse(time.DateOnly, strings.TrimSuffix(path.Base(name), ".json"))
	return day, err == nil
}

// A ChannelsError says that an export has several channels, and that none was chosen.
type ChannelsError struct{ Channels []ChannelCount }

// A ChannelCount is a channel and how many of its messages are of the time that is asked for.
type ChannelCount struct {
	Name     string
	Messages int
}

func (e *ChannelsError) Error() string {
	const most = 12
	var all []string
	for _, c := range e.Channels[:min(len(e.Channels), most)] {
		all = append(all, fmt.Sprintf("%s (%d)", c.Name, c.Messages))
	}
	if more := len(e.Channels) - most; more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("the export has %d channels; name the one in which the rehearsal was talked about; with how many messages of its time: %s", len(e.Channels), strings.Join(all, ", "))
}

// ReadExport reads a Slack export as Slack gives it out: users.json, and for each channel a directory with a file of messages for each day. It may lie in a
// directory of its own. within is a channel, or one file of it such as "ops/2026-11-27.json"; "": the only channel there is. All of a channel is
// read, whatever the time, so that a participant has the same number in every import of it.
func ReadExport(export fs.FS, within string, o Options) (Result, error) {
	root, err := exportRoot(export)
	if err != nil {
		return Result{}, err
	}
	left := int64(mostExport)
	all := newPeople(o)
	users, err := readPart(root, usersFile, &left)
	if err != nil {
		return Result{}, err
	}
	if err := meetUsers(users, all); err != nil {
		return Result{}, fmt.Errorf("%s: %w", usersFile, err)
	}
	days, err := exportDays(root, within)
	if err != nil {
		return Result{}, err
	}
	var messages []raw
	skipped := 0
	var channels []ChannelCount
	for _, name := range days {
		b, err := readPart(root, name, &left)
		if err != nil {
			return Result{}, err
		}
		more, no, err := readSlack(b, all)
		if err != nil {
			return Result{}, fmt.Errorf("%s: %w", name, err)
		}
		messages, skipped = append(messages, more...), skipped+no
		if c := path.Dir(name); len(channels) == 0 || channels[len(channels)-1].Name != c {
			channels = append(channels, ChannelCount{Name: c})
		}
		for _, m := range more {
			if o.within(m.at) {
				channels[len(channels)-1].Messages++
			}
		}
	}
	if len(channels) > 1 {
		slices.SortStableFunc(channels, func(a, b ChannelCount) int { return b.Messages - a.Messages })
		return Result{}, &ChannelsError{channels}
	}
	return o.told(messages, skipped, all), nil
}

// exportRoot is where users.json is: at the top, or in the only directory that has one, as archives are often packed.
func exportRoot(export fs.FS) (fs.FS, error) {
	if _, err := fs.Stat(export, usersFile); err == nil {
		return export, nil
	}
	found, err := fs.Glob(export, "*/"+usersFile)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, errors.New("this is no Slack export: it has no " + usersFile + " at its top")
	}
	return fs.Sub(export, path.Dir(found[0]))
}

// exportDays are the files of messages, by channel and day.
func exportDays(root fs.FS, within string) ([]string, error) {
	pattern := "*/*.json"
	if within = strings.TrimPrefix(within, "#"); within != "" {
		if !fs.ValidPath(within) || strings.ContainsAny(within, `*?[\`) {
			return nil, fmt.Errorf("%q is no channel's name", within)
		}
		if pattern = within; path.Ext(within) != ".json" {
			pattern = within + "/*.json"
		}
	}
	found, err := fs.Glob(root, pattern)
	if err != nil {
		return nil, err
	}
	days := slices.DeleteFunc(found, func(name string) bool {
		_, ok := dayOf(name)
		return !ok
	})
	if len(days) > 0 {
		return days, nil
	}
	if within == "" {
		return nil, errors.New("this is no Slack export: it has no directory with the messages of a channel, one file a day")
	}
	var known []string
	dirs, err := fs.ReadDir(root, ".")
	if err != nil {
		return nil, err
	}
	for _, d := range dirs {
		if d.IsDir() {
			known = append(known, d.Name())
		}
	}
	return nil, fmt.Errorf("the export has no messages of %q; its channels are %s", within, strings.Join(known, ", "))
}

func readPart(root fs.FS, name string, left *int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, *left+1))
	if *left -= int64(len(b)); err == nil && *left < 0 {
		err = fmt.Errorf("the export is larger than %d MiB; name one channel of it, or export the day of the run alone", mostExport>>20)
	}
	return bytes.TrimPrefix(b, []byte("\ufeff")), err
}
