// Package cuda runs on NVIDIA GPUs: the driver layer, and over it the backend that runs plans.
//
// Everything but this comment is compiled with the build tag cuda only, so that a plain go build needs no C compiler and links
// to no driver:
//
//	cuda/cgo.sh go build -tags cuda -o build/tributary-cuda ./cmd/tributary
//
// That needs gcc and nothing of NVIDIA's: include/cuda.h is written here, from the documented interface of the driver, and
// cgo.sh makes the library that the linker asks for, which looks for the driver's libcuda.so.1 when it is first called. Where
// there is none, or it cannot work (no GPU, a driver that does not match its kernel module), the program runs all the same, and
// Devices and Open return an error that says what to do.
//
// # The driver layer
//
// Calls go through gorgonia.org/cu where it has them; driver.go is the one file with C, for what it lacks: initialisation at
// a time of our choice, function attributes, pinned memory, stream capture, graphs, and lists of launches. What is broken in cu
// is not used: its Ctx and BatchedContext cost microseconds a call and leak, its Launch truncates parameter structs.
//
// Device is a GPU with its primary context, the one that all CUDA libraries of a process share. A context is current for an OS
// thread, and goroutines change threads, so every call binds its goroutine to a thread and makes the context current there
// first (Device.call), which the driver answers without work where it is current already. The other way, one goroutine that
// owns the thread and runs everything, would send every call through a channel, and a call that waits for the GPU would keep
// all others waiting. Lists and graphs are launched by a single C function that makes the context current itself. Methods may
// be called from any goroutine; that work on one stream comes in a sensible order is the caller's business.
//
// All memory is counted in bytes. A Span is a piece of device memory; copies check its size against the other side's before
// the driver is asked. Asynchronous copies take pinned memory only, because Go's memory must not be in the driver's hands
// after a call has returned.
//
// # The backend
//
// Backend turns every step of a plan into launches, when the plan is loaded (bind.go has the table of steps, and names what no
// kernel runs), packs them into a List and captures it, between the copies of what the step reads and reports, as a Graph: a run
// is one launch of it. Steps that do not wait for each other (graph.Plan.Order), such as branches, heads and gradients of filters, run
// side by side in it, in a few lanes (lanes.go): the GPU fills with them where one kernel alone has too few blocks, and a head runs
// beside the trunk. What changes from run to run, learning rate, head weights, seed and counters, lies in device memory
// (kernels.RunState) and needs no new capture. Input goes through two slots, on a stream of its own, so that it travels while
// the step before computes; metrics come back in the same slot, and nobody waits for them but who asks.
//
// The kernels are embedded (package kernels/images), machine code for some GPUs and PTX for all others: each .cu file's is loaded
// when one of its kernels is first needed. MinDriver says which driver they need.
//
// # Errors
//
// An error of the driver is an *Error: its code, what was called, for which kernel and node, and what to do about it. A GPU
// reports a fault in a kernel later, from whatever call comes next, and the context is dead from then on (Code.Lost): what runs
// has to start again from its last checkpoint. The error then names the kernel if only one can have failed, and otherwise the
// launches that were under way; with CUDA_LAUNCH_BLOCKING=1, the driver's own variable, every launch is waited for, and the
// error names the kernel and the node.
package cuda
