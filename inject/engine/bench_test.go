package engine_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"gameday/inject/engine"
	"gameday/inject/engine/enginetest"
)

// BenchmarkBuildImage builds an image from one file of 40 MB, which the engine has not seen before.
func BenchmarkBuildImage(b *testing.B) {
	e := enginetest.Open(b)
	content := make([]byte, 40<<20)
	rand.NewChaCha8([32]byte{1}).Read(content)
	tag := enginetest.Unique("gameday-bench") + ":1"
	var ids []string // the tag moves on, the images stay
	b.Cleanup(func() {
		for _, id := range ids {
			if err := e.RemoveImage(enginetest.Context(b), id); err != nil {
				b.Error(err)
			}
		}
	})
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		content[0], content[1] = byte(n), byte(n>>8)
		id, err := e.BuildImage(b.Context(), engine.Image{
			Tag: tag, Entrypoint: []string{"/gameday"}, Labels: map[string]string{engine.Label: enginetest.RunLabel()},
			Files: []engine.File{{Path: "/gameday", Mode: 0o755, Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(content)), nil
			}}},
		})
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, id)
	}
}

func BenchmarkContainers(b *testing.B) {
	e := enginetest.Open(b)
	for range 10 {
		enginetest.Create(b, e, enginetest.Unique("gameday-bench"))
	}
	for b.Loop() {
		if _, err := e.Containers(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
