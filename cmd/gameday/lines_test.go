package main

import "testing"

// Labels are told in the order of their names, and the ids of Docker as short as Docker tells them.
func TestLabelWords(t *testing.T) {
	const id = "4f1c0e6b7a21d2f3a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a1b"
	labels := map[string]string{"__name__": "container_pids", "name": "shop-store-1", "id": "/docker/" + id, "image": "sha256:" + id, "digest": id[:40]}
	want := `{digest="` + id[:40] + `",id="/docker/4f1c0e6b7a21…",image="sha256:4f1c0e6b7a21…",name="shop-store-1"}`
	if got := labelWords(labels); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
