// Package cuda is the backend that runs plans on NVIDIA GPUs. It builds on package cuda/driver,
// which calls the driver.
//
// Everything but this comment is compiled with the build tag cuda only, so that a plain go build
// needs no C compiler and does not link to a driver:
//
//	cuda/cgo.sh go build -tags cuda -o build/tributary-cuda ./cmd/tributary
//
// This build needs gcc and nothing from NVIDIA: driver/include/cuda.h is written for this project
// from the driver's documented interface, and cgo.sh makes the library that the linker asks for.
// That library looks for the driver's libcuda.so.1 when it is first called. If there is no driver,
// or the driver cannot work (no GPU, or a driver that does not match its kernel module), the
// program still runs, and driver.Devices and New return an error that says what to do.
//
// # The backend
//
// When a plan is loaded, Backend turns every step of it into launches; bind.go has the table of
// steps, and the error names steps that no kernel runs. Backend packs the launches into a
// driver.List and captures them as a driver.Graph, together with the copies of what the step reads
// and reports. A run is one launch of this graph. Steps that do not wait for each other
// (graph.Plan.Dependencies), such as branches, heads and gradients of filters, run side by side in
// a few streams (streams.go). They fill the GPU where a single kernel has too few blocks, and a
// head runs beside the trunk. What changes from run to run, such as the learning rate, head
// weights, seed and counters, lies in device memory (kernels.RunState), so no new capture is
// needed. Input goes through two transfers in turn, on a stream of its own, so that it travels
// while the step before computes. Metrics come back in the same transfer; only a call of Metrics
// waits for them.
//
// The kernels are embedded (package kernels/cubins): machine code for some GPUs and PTX for all
// others. The cubin of a .cu file is loaded when one of its kernels is first needed.
// driver.MinDriver is the oldest driver that they run with.
package cuda
