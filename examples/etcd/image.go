package etcd

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gameday/inject/engine"
)

// BinaryEnv names the environment variable that says where etcd's binary is.
const BinaryEnv = "GAMEDAY_ETCD"

// libraryDirs is where a dynamic linker looks, and so where we look for what etcd needs.
var libraryDirs = []string{
	"/lib/*-linux-gnu*", "/usr/lib/*-linux-gnu*", "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib",
}

// binary returns the path of etcd's binary: what GAMEDAY_ETCD says, or the etcd that is installed.
func binary() (string, error) {
	if p := os.Getenv(BinaryEnv); p != "" {
		return p, nil
	}
	p, err := exec.LookPath("etcd")
	if err != nil {
		return "", fmt.Errorf("there is no etcd here: install it (Debian's package is etcd-server), or set %s to its path", BinaryEnv)
	}
	return p, nil
}

// buildImage makes an image from etcd's binary and the shared libraries that it needs, and nothing else.
func buildImage(ctx context.Context, e engine.Engine, tag string, labels map[string]string) error {
	bin, err := binary()
	if err != nil {
		return err
	}
	needed, err := libraries(bin)
	if err != nil {
		return err
	}
	files := []engine.File{{Path: "/tmp", Mode: 0o1777}, {Path: "/data", Mode: 0o700}}
	add := func(in, from string) error {
		info, err := os.Stat(from)
		if err != nil {
			return fmt.Errorf("%s cannot go into the image: %w", from, err)
		}
		files = append(files, engine.File{
			Path: in, Mode: 0o755, Size: info.Size(),
			Open: func() (io.ReadCloser, error) { return os.Open(from) },
		})
		return nil
	}
	if err := add("/etcd", bin); err != nil {
		return err
	}
	var dirs []string
	for _, lib := range needed {
		if err := add(lib, lib); err != nil {
			return err
		}
		if dir := path.Dir(lib); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	_, err = e.BuildImage(ctx, engine.Image{
		Tag:        tag,
		Files:      files,
		Entrypoint: []string{"/etcd"},
		Env:        []string{"LD_LIBRARY_PATH=" + strings.Join(dirs, ":")},
		WorkDir:    "/data",
		Labels:     labels,
	})
	if err != nil {
		return fmt.Errorf("cannot make an image from %s: %w", bin, err)
	}
	return nil
}

// libraries returns the paths of the dynamic linker and of all shared libraries that a program needs, directly or through
// another; none for a static one.
func libraries(program string) ([]string, error) {
	var found []string
	todo := []string{program}
	for len(todo) > 0 {
		file := todo[0]
		todo = todo[1:]
		needs, err := needsOf(file)
		if err != nil {
			return nil, fmt.Errorf("%s is not a program that can be put into an image: %w", file, err)
		}
		for _, need := range needs {
			p, err := locate(need)
			if err != nil {
				return nil, fmt.Errorf("%s needs %s: %w", file, need, err)
			}
			if !slices.Contains(found, p) {
				found = append(found, p)
				todo = append(todo, p)
			}
		}
	}
	return found, nil
}

// needsOf returns the names of the libraries, and the absolute path of the interpreter, that an ELF file asks for.
func needsOf(file string) ([]string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	needs, err := f.ImportedLibraries()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, err
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		// Paths are short; a longer one is a broken file.
		name, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
		if err != nil {
			return nil, err
		}
		needs = append(needs, strings.TrimRight(string(name), "\x00"))
	}
	return needs, nil
}

// locate finds a library by its name; an absolute path stays what it is, since that is where the kernel looks for it.
func locate(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	for _, pattern := range libraryDirs {
		matches, err := filepath.Glob(filepath.Join(pattern, name))
		if err != nil {
			return "", err
		}
		if len(matches) > 0 {
			return matches[0], nil
		}
	}
	return "", errors.New("no such library where dynamic linkers look")
}
