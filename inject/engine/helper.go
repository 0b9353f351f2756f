package engine

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
)

// HelperRepository is the name, before the tag, of the images that hold gameday's own binary.
const HelperRepository = "gameday-helper"

// HelperImage describes the image that helper containers run: the given binary as /gameday, and nothing else. Its tag
// follows from the binary's content. A binary that cannot run in an empty image is refused.
func HelperImage(binary string) (Image, error) {
	if _, err := static(binary); err != nil {
		return Image{}, err
	}
	f, err := os.Open(binary)
	if err != nil {
		return Image{}, fmt.Errorf("helper image: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return Image{}, fmt.Errorf("helper image: read %s: %w", binary, err)
	}
	return Image{
		Tag:        HelperRepository + ":" + hex.EncodeToString(sum.Sum(nil))[:12],
		Files:      []File{{Path: "/gameday", Mode: 0o755, Size: size, Open: func() (io.ReadCloser, error) { return os.Open(binary) }}},
		Entrypoint: []string{"/gameday"},
		Labels:     map[string]string{Label: "helper"},
	}, nil
}

// CheckBinary says why a binary cannot run in an empty image on an engine of an architecture ("amd64"), or nil.
func CheckBinary(path, arch string) error {
	has, err := static(path)
	if err != nil {
		return err
	}
	if has != arch {
		return fmt.Errorf("%s is built for %s and the Docker engine runs on %s: use a binary that was built with GOARCH=%s CGO_ENABLED=0",
			path, has, arch, arch)
	}
	return nil
}

// static returns what architecture a binary is for, or an error if it is not a static program for Linux.
func static(path string) (arch string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the binary for helper containers: %w", err)
	}
	defer f.Close()
	e, err := elf.NewFile(f)
	if err != nil {
		return "", fmt.Errorf("%s is not a Linux program (%w): use one that was built with GOOS=linux CGO_ENABLED=0", path, err)
	}
	if e.Type != elf.ET_EXEC && e.Type != elf.ET_DYN || e.OSABI != elf.ELFOSABI_NONE && e.OSABI != elf.ELFOSABI_LINUX {
		return "", fmt.Errorf("%s is not a Linux program (%v for %v): use one that was built with GOOS=linux CGO_ENABLED=0", path, e.Type, e.OSABI)
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP {
			return "", fmt.Errorf("%s needs a dynamic linker, which an image made from it alone has not: build it with CGO_ENABLED=0", path)
		}
	}
	return elfArch(e), nil
}

// elfArch spells a program's machine in Go's way.
func elfArch(e *elf.File) string {
	little := e.Data == elf.ELFDATA2LSB
	switch e.Machine {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_386:
		return "386"
	case elf.EM_ARM:
		return "arm"
	case elf.EM_RISCV:
		return "riscv64"
	case elf.EM_S390:
		return "s390x"
	case elf.EM_LOONGARCH:
		return "loong64"
	case elf.EM_PPC64:
		if little {
			return "ppc64le"
		}
		return "ppc64"
	}
	return e.Machine.String()
}

// Executable returns a path under which the running program can be read. That is its own path, or if the file there is
// not the one that runs any more, as after an update, the kernel's link to it, which holds as long as this process lives.
func Executable() (string, error) {
	path, err := os.Executable()
	if runtime.GOOS == "linux" {
		link := "/proc/" + strconv.Itoa(os.Getpid()) + "/exe"
		if running, lerr := os.Stat(link); lerr == nil {
			if err != nil {
				return link, nil
			}
			if there, serr := os.Stat(path); serr != nil || !os.SameFile(running, there) {
				return link, nil
			}
		}
	}
	if err != nil {
		return "", fmt.Errorf("find the running program: %w", err)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	return path, nil
}
