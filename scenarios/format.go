package scenarios

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns a file in the one form that all files should have: indentation by two blanks, equal signs in line, newlines
// as line ends. Nothing is said about a file that only does not load; one with a syntax error is refused. JSON is returned as
// it is.
func Format(src []byte, filename string) ([]byte, Diagnostics) {
	s := &source{path: filename, raw: src}
	text, d := clean(filename, src)
	if d != nil {
		return nil, diagnostics(hcl.Diagnostics{d}, nil)
	}
	s.text = text
	if strings.HasSuffix(filename, ".json") {
		return src, nil
	}
	file, diags := parseNative(filename, text)
	s.file = file
	if diags.HasErrors() {
		return nil, diagnostics(diags, []*source{s})
	}
	return settle(text), nil
}

// settle formats until nothing changes any more: one pass can move a comment to where the next aligns it.
func settle(text []byte) []byte {
	const most = 5
	for range most {
		next := hclwrite.Format(text)
		if bytes.Equal(next, text) {
			break
		}
		text = next
	}
	return text
}

// FormatFiles brings a file, or all files of a directory, into the form of Format, and returns the paths of those that were
// not in it. With check nothing is written. A file is replaced as a whole or not at all, and keeps its mode.
func FormatFiles(path string, check bool) (changed []string, ds Diagnostics) {
	paths, d := formatPaths(path)
	if d != nil {
		return nil, diagnostics(hcl.Diagnostics{d}, nil)
	}
	for _, p := range paths {
		raw, d := readLimited(p)
		if d != nil {
			ds = append(ds, diagnostics(hcl.Diagnostics{d}, nil)...)
			continue
		}
		formatted, fds := Format(raw, p)
		ds = append(ds, fds...)
		if fds.HasErrors() || bytes.Equal(formatted, raw) {
			continue
		}
		if !check {
			if err := replaceFile(p, formatted); err != nil {
				d := fileDiagnostic(p, "File cannot be written", fmt.Sprintf("The system says: %v. The file is as it was.", err))
				ds = append(ds, diagnostics(hcl.Diagnostics{d}, nil)...)
				continue
			}
		}
		changed = append(changed, p)
	}
	return changed, ds
}

// formatPaths lists what FormatFiles works on: scenario files, and files of values.
func formatPaths(path string) ([]string, *hcl.Diagnostic) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, openProblem(path, err)
	}
	if !info.IsDir() {
		if strings.HasSuffix(path, varFileSuffix) {
			return []string{path}, nil
		}
		paths, _, d := scenarioFiles(path)
		return paths, d
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, openProblem(path, err)
	}
	var paths []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), nativeSuffix) || strings.HasSuffix(e.Name(), varFileSuffix) {
			paths = append(paths, filepath.Join(path, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, fileDiagnostic(path, "Nothing to format", fmt.Sprintf("The directory holds no file whose name ends in %s or %s.", nativeSuffix, varFileSuffix))
	}
	return paths, nil
}

// replaceFile writes a file beside the old one and renames it, so that whoever reads sees one or the other. A link stays a
// link: what it points to is replaced.
func replaceFile(path string, content []byte) (err error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(real), ".gameday-fmt-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), real)
}
