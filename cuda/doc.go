// Package cuda is the backend that runs plans on NVIDIA GPUs. It stands on package cuda/driver, which calls the driver.
//
// Everything but this comment is compiled with the build tag cuda only, so that a plain go build needs no C compiler and links
// to no driver:
//
//	cuda/cgo.sh go build -tags cuda -o build/tributary-cuda ./cmd/tributary
//
// That needs gcc and nothing of NVIDIA's: driver/include/cuda.h is written here, from the documented interface of the driver, and
// cgo.sh makes the library that the linker asks for, which looks for the driver's libcuda.so.1 when it is first called. Where
// there is none, or it cannot work (no GPU, a driver that does not match its kernel module), the program runs all the same, and
// driver.Devices and New return an error that says what to do.
//
// # The backend
//
// Backend turns every step of a plan into launches, when the plan is loaded (bind.go has the table of steps, and names what no
// kernel runs), packs them into a driver.List and captures it, between the copies of what the step reads and reports, as a driver.Graph: a run
// is one launch of it. Steps that do not wait for each other (graph.Plan.Dependencies), such as branches, heads and gradients of filters, run
// side by side in it, in a few streams (streams.go): the GPU fills with them where one kernel alone has too few blocks, and a head runs
// beside the trunk. What changes from run to run, learning rate, head weights, seed and counters, lies in device memory
// (kernels.RunState) and needs no new capture. Input goes through two transfers, on a stream of its own, so that it travels while
// the step before computes; metrics come back in the same transfer, and nobody waits for them but who asks.
//
// The kernels are embedded (package kernels/cubins), machine code for some GPUs and PTX for all others: each .cu file's is loaded
// when one of its kernels is first needed. driver.MinDriver says which driver they need.
package cuda
