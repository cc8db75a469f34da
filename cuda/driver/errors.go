//go:build cuda

package driver

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Code is a result of the driver, a CUresult. Compare it with errors.Is(err, driver.OutOfMemory).
type Code int

// Error is a failed call of the driver.
type Error struct {
	Code         Code
	Call         string // what was attempted, such as "cuMemAlloc of 3.1 GiB"
	Kernel, Node string // the launch that failed and the network's node, if known
	Detail       string // what the driver's compiler said, or which launches were under way
	Remedy       string // what to do; empty if it depends on the call
}

// ErrClosed is returned by the methods of a closed device, and of objects that belong to it.
var ErrClosed = errors.New("cuda: the device is closed")

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cuda: %s: ", e.Call)
	switch {
	case e.Kernel != "" && e.Node != "":
		fmt.Fprintf(&b, "kernel %s of node %s: ", e.Kernel, e.Node)
	case e.Kernel != "":
		fmt.Fprintf(&b, "kernel %s: ", e.Kernel)
	}
	b.WriteString(e.Code.Error())
	for _, s := range []string{e.Detail, e.Remedy} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	return b.String()
}

// Lines returns the lines of the message. There are several if the driver's compiler printed
// several.
func (e *Error) Lines() []string { return strings.Split(e.Error(), "\n") }

// Unwrap returns the code, so that errors.Is and errors.As find it.
func (e *Error) Unwrap() error { return e.Code }

// Lost reports whether the code means that the context is dead: every later call fails with the
// same code, and the process has to start again from what it has saved.
func (c Code) Lost() bool {
	switch c {
	case Deinitialized, ECCUncorrectable, NVLinkUncorrectable, Contained, IllegalAddress, LaunchTimeout, Assert, TensorMemoryLeak,
		ExternalDevice, Unknown:
		return true
	}
	return c >= HardwareStackError && c <= LaunchFailed
}

const (
	remedyLost  = "the GPU is lost to this process: start again from the last checkpoint"
	remedyImage = "the kernels in this program do not suit this GPU or driver: update the NVIDIA driver to version " + minDriverName +
		" or later, build cubins and program again (make cubins cuda), or run with --device cpu"
	remedyDriver = "repair the NVIDIA driver: its library and its kernel module must be of one version (a restart is enough after an update)"
)

// remedies say what to do about a code whose cause does not depend on the call.
var remedies = map[Code]string{
	OutOfMemory:        "use a smaller batch, or close other programs that use the GPU (nvidia-smi lists them)",
	NoLibrary:          "the NVIDIA driver's library libcuda.so.1 was not found: install the driver, version " + minDriverName + " or later, or run with --device cpu",
	NoSymbol:           "the installed NVIDIA driver lacks the function: update it to version " + minDriverName + " or later, or run with --device cpu",
	StubLibrary:        "a toolkit's stub was loaded instead of the driver: take it out of LD_LIBRARY_PATH",
	DeviceUnavailable:  "another program holds the GPU alone: close it, or change the compute mode (nvidia-smi -c)",
	NoDevice:           "no NVIDIA GPU is visible: see nvidia-smi and CUDA_VISIBLE_DEVICES, or run on the CPU",
	InvalidContext:     "no context is current on this thread: call through the Device",
	InvalidImage:       remedyImage,
	NoBinaryForGPU:     remedyImage,
	InvalidPTX:         remedyImage,
	UnsupportedPTX:     remedyImage,
	NoJIT:              "install the driver's PTX compiler, libnvidia-ptxjitcompiler, which belongs to the driver",
	OperatingSystem:    "the driver could not get memory or a device file from the system: check ulimit -l and /dev/nvidia*",
	OutOfResources:     "the kernel needs more registers or shared memory than a block may have here",
	SystemNotReady:     "start the nvidia-fabricmanager service",
	DriverMismatch:     remedyDriver,
	CompatNotSupported: remedyDriver,
	Unknown:            remedyLost + "; if cuInit says so, load the kernel module (modprobe nvidia nvidia-uvm)",
}

// codeOf returns the code in an error of cu, whose error type is not exported, or of driver.go.
func codeOf(err error) Code {
	var c Code
	if errors.As(err, &c) {
		return c
	}
	if v := reflect.ValueOf(err); v.Kind() == reflect.Int {
		return Code(v.Int())
	}
	return Unknown
}

// failed wraps the error of a call in an *Error. It returns nil for nil, and returns an *Error and
// ErrClosed unchanged.
func failed(err error, call string, args ...any) error {
	if err == nil {
		return nil
	}
	if e := (*Error)(nil); errors.As(err, &e) || errors.Is(err, ErrClosed) {
		return err
	}
	c := codeOf(err)
	e := &Error{Code: c, Call: fmt.Sprintf(call, args...), Remedy: remedies[c]}
	if e.Remedy == "" && c.Lost() {
		e.Remedy = remedyLost
	}
	return e
}

// size formats a number of bytes for people.
func size(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", bytes)
}
