package runner

import (
	"context"
	"sync"
	"time"

	"gameday/inject"
	"gameday/inject/engine"
)

// NewTools returns what faults work with: the engine, and the helper image, which is made from a static gameday binary on first
// use. cleanup removes the image unless another gameday uses it.
func NewTools(e engine.Engine, binary func() (string, error)) (tools inject.Tools, cleanup func()) {
	var mu sync.Mutex
	var img engine.Image
	helper := func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if img.Tag == "" {
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
			if img, err = engine.HelperImage(path); err != nil {
				return "", err
			}
		}
		// Asked each time: another gameday of the same binary may have come to its end and removed it.
		has, err := e.HasImage(ctx, img.Tag)
		if err == nil && !has {
			_, err = e.BuildImage(ctx, img)
		}
		return img.Tag, err
	}
	cleanup = func() {
		mu.Lock()
		defer mu.Unlock()
		if img.Tag == "" {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		// The engine refuses while another gameday has a container of it; then that one's end removes it.
		_ = e.RemoveImage(ctx, img.Tag)
	}
	return inject.Tools{Engine: e, Helper: helper, Sidecars: inject.NewSidecars(e, helper)}, cleanup
}
