package runner

import (
	"context"
	"sync"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
)

// NewTools returns what faults work with: the engine, and the helper image, which is made from a static gameday binary on first
// use. cleanup removes the image if it was made here.
func NewTools(e engine.Engine, binary func() (string, error)) (tools inject.Tools, cleanup func()) {
	var mu sync.Mutex
	var tag string
	made := false
	helper := func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if tag != "" {
			return tag, nil
		}
		path, err := binary()
		if err != nil {
			return "", err
		}
		info, err := e.Info(ctx)
		if err != nil {
			return "", err
		}
		if err := engine.CheckBinary(path, info.Arch); err != nil {
			return "", err
		}
		img, err := engine.HelperImage(path)
		if err != nil {
			return "", err
		}
		has, err := e.HasImage(ctx, img.Tag)
		if err != nil {
			return "", err
		}
		if !has {
			if _, err := e.BuildImage(ctx, img); err != nil {
				return "", err
			}
			made = true
		}
		tag = img.Tag
		return tag, nil
	}
	cleanup = func() {
		mu.Lock()
		defer mu.Unlock()
		if made {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			// It may be in use by another gameday; then that one's end removes it.
			_ = e.RemoveImage(ctx, tag)
			made, tag = false, ""
		}
	}
	return inject.Tools{Engine: e, Helper: helper}, cleanup
}
