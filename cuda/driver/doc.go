// Package driver is the layer over gorgonia.org/cu through which all calls of the CUDA driver go: devices, memory, streams, events,
// modules, launches and graphs. It knows no plan and no network; package cuda builds the backend on it.
//
// Everything but this comment is compiled with the build tag cuda only; see package cuda.
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
// # Errors
//
// An error of the driver is an *Error: its code, what was called, for which kernel and node, and what to do about it. A GPU
// reports a fault in a kernel later, from whatever call comes next, and the context is dead from then on (Code.Lost): what runs
// has to start again from its last checkpoint. The error then names the kernel if only one can have failed, and otherwise the
// launches that were under way; with CUDA_LAUNCH_BLOCKING=1, the driver's own variable, every launch is waited for, and the
// error names the kernel and the node.
package driver
