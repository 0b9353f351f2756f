package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// BuildImage makes an image through the engine's load endpoint. Its content has no times of its own, so that the same
// files make the same image; the files are streamed and read once.
func (d *docker) BuildImage(ctx context.Context, img Image) (id string, err error) {
	what := "build image " + img.Tag
	entries, err := layout(img.Files)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	var file *fileError
	err = d.call(ctx, imageLimit, what, func(ctx context.Context) error {
		arch, err := d.engineArch(ctx)
		if err != nil {
			return err
		}
		r, w := io.Pipe()
		wrote := make(chan error, 1)
		go func() {
			err := writeArchive(w, img, entries, arch)
			w.CloseWithError(err)
			wrote <- err
		}()
		err = d.load(ctx, r)
		r.CloseWithError(errors.New("the engine has stopped reading"))
		if werr := <-wrote; errors.As(werr, &file) || err != nil {
			return err
		}
		made, err := d.cli.ImageInspect(ctx, img.Tag)
		id = made.ID
		return err
	})
	if file != nil { // the cause of whatever the engine complains about
		return "", fmt.Errorf("%s: %w", what, file)
	}
	return id, err
}

// load sends an archive and reads the engine's answer to its end, where errors are.
func (d *docker) load(ctx context.Context, archive io.Reader) error {
	resp, err := d.cli.ImageLoad(ctx, archive, client.ImageLoadWithQuiet(true))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for dec := json.NewDecoder(resp.Body); ; {
		var line struct{ Error string }
		switch err := dec.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case line.Error != "":
			return errors.New(line.Error)
		}
	}
}

func (d *docker) engineArch(ctx context.Context) (string, error) {
	d.mu.Lock()
	arch := d.arch
	d.mu.Unlock()
	if arch != "" {
		return arch, nil
	}
	in, err := d.cli.Info(ctx)
	if err != nil {
		return "", err
	}
	arch = goArch(in.Architecture)
	d.mu.Lock()
	d.arch = arch
	d.mu.Unlock()
	return arch, nil
}

// RemoveImage removes a tag; ErrConflict while a container uses the image.
func (d *docker) RemoveImage(ctx context.Context, tag string) error {
	err := d.call(ctx, callLimit, "remove image "+tag, func(ctx context.Context) error {
		_, err := d.cli.ImageRemove(ctx, tag, image.RemoveOptions{PruneChildren: true})
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// HasImage says whether a tag is known to the engine.
func (d *docker) HasImage(ctx context.Context, tag string) (bool, error) {
	err := d.call(ctx, callLimit, "look for image "+tag, func(ctx context.Context) error {
		_, err := d.cli.ImageInspect(ctx, tag)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// A fileError is a file that could not be put into an image.
type fileError struct {
	path string
	err  error
}

func (e *fileError) Error() string { return "file " + e.path + ": " + e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// fileReader makes the errors of reading a file told apart from those of sending it.
type fileReader struct {
	path string
	r    io.Reader
}

func (f fileReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &fileError{f.path, err}
	}
	return n, err
}

// layout orders the files and adds the directories that they need.
func layout(files []File) ([]File, error) {
	have := map[string]bool{}
	for _, f := range files {
		switch {
		case !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == "/":
			return nil, &fileError{f.Path, errors.New("the path must be absolute, and have no . or .. in it")}
		case have[f.Path]:
			return nil, &fileError{f.Path, errors.New("it is listed twice")}
		case f.Size < 0 || (f.Size > 0 && f.Open == nil):
			return nil, &fileError{f.Path, fmt.Errorf("it has a size of %d and no content", f.Size)}
		}
		have[f.Path] = true
	}
	all := slices.Clone(files)
	for _, f := range files {
		for dir := path.Dir(f.Path); dir != "/" && !have[dir]; dir = path.Dir(dir) {
			have[dir] = true
			all = append(all, File{Path: dir, Mode: 0o755})
		}
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

func header(f File) *tar.Header {
	h := &tar.Header{Name: strings.TrimPrefix(f.Path, "/"), Mode: f.Mode & 0o7777, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	switch {
	case f.Link != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, f.Link
	case f.Open == nil:
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	default:
		h.Typeflag, h.Size = tar.TypeReg, f.Size
	}
	return h
}

// imageConfig is what an image says about itself; its hash is the image's id.
type imageConfig struct {
	Created      time.Time `json:"created"`
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Config       struct {
		Entrypoint []string          `json:",omitempty"`
		Cmd        []string          `json:",omitempty"`
		Env        []string          `json:",omitempty"`
		WorkingDir string            `json:",omitempty"`
		Labels     map[string]string `json:",omitempty"`
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []struct {
		Created time.Time `json:"created"`
	} `json:"history"`
}

// writeArchive writes what `docker load` reads. The layer comes first: the configuration holds its hash.
func writeArchive(w io.Writer, img Image, files []File, arch string) error {
	const layer, manifest = "layer.tar", "manifest.json"
	size, err := layerSize(files)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	if err := tw.WriteHeader(&tar.Header{Name: layer, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0)}); err != nil {
		return err
	}
	sum := sha256.New()
	if err := writeLayer(tw, sum, files); err != nil {
		return err
	}
	config := imageConfig{Created: time.Unix(0, 0).UTC(), Architecture: arch, OS: "linux"}
	config.Config.Entrypoint, config.Config.Cmd, config.Config.Env = img.Entrypoint, img.Cmd, img.Env
	config.Config.WorkingDir, config.Config.Labels = img.WorkDir, img.Labels
	config.RootFS.Type, config.RootFS.DiffIDs = "layers", []string{"sha256:" + hex.EncodeToString(sum.Sum(nil))}
	config.History = append(config.History, struct {
		Created time.Time `json:"created"`
	}{config.Created})
	configJSON, err := json.Marshal(config)
	if err != nil {
		return err
	}
	configSum := sha256.Sum256(configJSON)
	configName := hex.EncodeToString(configSum[:]) + ".json"
	manifestJSON, err := json.Marshal([]map[string]any{{"Config": configName, "RepoTags": []string{img.Tag}, "Layers": []string{layer}}})
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{configName, configJSON}, {manifest, manifestJSON}} {
		if err := tw.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data)), ModTime: time.Unix(0, 0)}); err != nil {
			return err
		}
		if _, err := tw.Write(f.data); err != nil {
			return err
		}
	}
	return tw.Close()
}

// layerSize is how many bytes writeLayer will write.
func layerSize(files []File) (int64, error) {
	const block = 512
	var headers bytes.Buffer
	size := int64(2 * block) // the end of an archive
	for _, f := range files {
		headers.Reset()
		h := header(f)
		if err := tar.NewWriter(&headers).WriteHeader(h); err != nil {
			return 0, &fileError{f.Path, err}
		}
		size += int64(headers.Len()) + (h.Size+block-1)/block*block
	}
	return size, nil
}

func writeLayer(w io.Writer, sum hash.Hash, files []File) error {
	tw := tar.NewWriter(io.MultiWriter(w, sum))
	for _, f := range files {
		h := header(f)
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			if err := writeContent(tw, f); err != nil {
				return err
			}
		}
	}
	return tw.Close()
}

func writeContent(w io.Writer, f File) error {
	r, err := f.Open()
	if err != nil {
		return &fileError{f.Path, err}
	}
	defer r.Close()
	content := fileReader{f.Path, r}
	n, err := io.Copy(w, io.LimitReader(content, f.Size))
	if err != nil {
		return err
	}
	more, err := io.CopyN(io.Discard, content, 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if n+more != f.Size {
		return &fileError{f.Path, fmt.Errorf("its size is not %d bytes as was said; did it change meanwhile?", f.Size)}
	}
	return nil
}
