# `make demo` and `make test` do all the set-up there is; see README.md.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
BINARY  := bin/gameday

# The tests judge gameday against servers of others; .ci/tools sees that they are there.
export PATH := $(CURDIR)/bin/tools/usr/bin:$(PATH)

.PHONY: build demo test vmtest vmengine crashsweep race bench tools clean

# The binary is static, because it is also what runs inside helper containers that hold nothing else.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BINARY) ./cmd/gameday

demo: build
	./$(BINARY) demo

tools:
	@./.ci/tools

# Most of a container test is waiting, for one daemon: more of them at once than there are processors. With too many, the runs that are
# rehearsed miss samples.
TESTFLAGS ?=
test: tools
	CGO_ENABLED=0 $(GO) test -p 2 -parallel 3 -timeout 30m $(TESTFLAGS) ./...

# The network faults on a kernel that has netem, and the limits on one with control groups of version 2, in an emulated machine: minutes, and
# apart from CI's quick path.
vmtest:
	@./.ci/vm
	@./.ci/vm ./inject/sidecar -test.run 'Kernel|StressEnds'

# Every kind of fault, and the guard, on a real Docker engine in that machine: what most users have, and many build machines do not.
vmengine:
	@VM_SECONDS=3600 ./.ci/vm --engine ./inject -test.run TestConformance -test.parallel 3
	@./.ci/vm --engine ./runner -test.run TestGuardUndoes -test.parallel 1

# N kills of gameday, its guard and the Docker daemon, over all faults and steps, with a table of how long it took until everything was undone. The 30 of
# `make test` are the same. What is known of a kill that left something behind is kept, and its place printed.
N ?= 300
crashsweep:
	CGO_ENABLED=0 GAMEDAY_SWEEP_N=$(N) $(GO) test -count=1 -timeout 0 -v -run TestCrashSweep ./runner/sweeptest

# The packages with goroutines of their own, under the race detector (which needs a C compiler). CI runs those of it that need no
# containers: the others take as long as everything else together.
RACE ?= ./runner/... ./inject/engine/... ./examples/shop
race: tools
	CGO_ENABLED=1 $(GO) test -race -short -p 1 -parallel 2 -timeout 25m $(RACE)

bench:
	CGO_ENABLED=0 $(GO) test -run '^$$' -bench . -benchmem ./...

clean:
	rm -rf bin
