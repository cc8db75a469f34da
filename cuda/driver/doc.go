// Package driver is the layer over gorgonia.org/cu through which all calls of the CUDA driver go:
// devices, memory, streams, events, modules, launches and graphs. It has no notion of a plan or a
// network; package cuda builds the backend on it.
//
// Everything but this comment is compiled with the build tag cuda only; see package cuda.
//
// Calls go through gorgonia.org/cu where it has them. driver.go, the only file with C, has what cu
// lacks: initialisation at a time of our choice, function attributes, pinned memory, stream
// capture, graphs, and lists of launches. Broken parts of cu are not used: its Ctx and
// BatchedContext cost microseconds a call and leak, and its Launch truncates parameter structs.
//
// A Device is a GPU with its primary context, which all CUDA libraries of a process share. A
// context is current for an OS thread, and goroutines change threads. So every call binds its
// goroutine to a thread and makes the context current there first (Device.call). If the context is
// current already, the driver does no work for that. The alternative, one goroutine that owns a
// thread and makes all calls, would send every call through a channel, and a call that waits for
// the GPU would block all others. Lists and graphs are launched by a single C function, which makes
// the context current itself. Methods may be called from any goroutine. The caller sees to the
// order of work on one stream.
//
// All memory is counted in bytes. A Span is a piece of device memory. Copies compare its size with
// the size of the other side before they call the driver. Asynchronous copies accept pinned memory
// only, because the driver must not use Go's memory after a call has returned.
//
// # Errors
//
// An error of the driver is an *Error: its code, the call, the kernel and the node, and what to do
// about it. A GPU reports a fault in a kernel late, through whatever call comes next, and the
// context is dead from then on (Code.Lost): the process has to start again from its last
// checkpoint. The error names the kernel if only one can have failed, and otherwise the launches
// that were under way. With CUDA_LAUNCH_BLOCKING=1, the driver's own variable, the host waits for
// every launch, and the error names the kernel and the node.
package driver
