//go:build cuda

package driver

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/tributary-ml/tributary/kernels"
	"gorgonia.org/cu"
)

// Module is a loaded image of kernels.
type Module struct {
	device *Device
	name   string
	log    string
	m      cu.Module
}

// Load loads an image into the driver: a cubin, a fat binary or PTX. Errors mention the name.
func (d *Device) Load(name string, image []byte) (*Module, error) {
	if len(image) == 0 {
		return nil, fmt.Errorf("cuda: image %s is empty", name)
	}
	m := &Module{device: d, name: name}
	said, wrong := make([]byte, 16<<10), make([]byte, 16<<10) // messages and errors of the driver's compiler, which compiles PTX
	err := d.call(func() (err error) {
		m.m, err = cu.LoadDataEx(string(image), &cu.JITLogVerbose{Enabled: true}, &cu.JITInfoLogBuffer{Buffer: said}, &cu.JITErrorLogBuffer{Buffer: wrong})
		runtime.KeepAlive(said) // cu passes the addresses on as numbers
		runtime.KeepAlive(wrong)
		m.log = joinText(said, wrong)
		err = failed(err, "cuModuleLoadDataEx of image %s (%s) for %s, driver for CUDA %s", name, size(int64(len(image))), d.Arch(), DriverVersion())
		if e := (*Error)(nil); errors.As(err, &e) {
			e.Detail = joinText(wrong)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// joinText joins the texts of C strings.
func joinText(buffers ...[]byte) string {
	var all [][]byte
	for _, b := range buffers {
		text, _, _ := bytes.Cut(b, []byte{0})
		if text = bytes.TrimSpace(text); len(text) > 0 {
			all = append(all, text)
		}
	}
	return string(bytes.Join(all, []byte("\n")))
}

// CompilerLog returns what the driver's compiler said if the image is PTX: for each kernel its
// registers, its shared memory and whether it spills registers. The log is empty for machine code,
// and if the driver had the result of an earlier compilation.
func (m *Module) CompilerLog() string { return m.log }

// Close unloads the module. Its functions must not be launched afterwards.
func (m *Module) Close() error {
	return m.device.release(func() error { return failed(m.m.Unload(), "cuModuleUnload of image %s", m.name) })
}

// Function is a kernel and the resources that it takes on a multiprocessor.
type Function struct {
	Name       string
	Registers  int // per thread
	Spilled    int // bytes of local memory per thread; 0 unless registers were short
	Shared     int // bytes of static shared memory per block
	MaxThreads int // per block
	ParamSize  int // bytes of its parameter struct
	Binary     int // architecture of the machine code: 90 for sm_90
	Arithmetic kernels.Arithmetic

	device *Device
	f      cu.Function

	mu      sync.Mutex
	allowed int // bytes of dynamic shared memory that AllowShared has obtained
}

// Function finds a kernel.
func (m *Module) Function(name string) (*Function, error) {
	k, _ := kernels.Find(name)
	f := &Function{Name: name, ParamSize: int(k.ParamSize), Arithmetic: k.Arithmetic, device: m.device}
	err := m.device.call(func() (err error) {
		if f.f, err = m.m.Function(name); err != nil {
			err = failed(err, "cuModuleGetFunction in image %s", m.name)
			if e := (*Error)(nil); errors.As(err, &e) {
				e.Kernel = name
			}
			return err
		}
		for _, a := range []struct {
			to *int
			is cu.FunctionAttribute
		}{
			{&f.Registers, cu.NumRegs},
			{&f.Spilled, cu.LocalSizeBytes},
			{&f.Shared, cu.SharedSizeBytes},
			{&f.MaxThreads, cu.FnMaxThreadsPerBlock},
			{&f.Binary, cu.BinaryVersion},
		} {
			if *a.to, err = f.f.Attribute(a.is); err != nil {
				return failed(err, "cuFuncGetAttribute %d of kernel %s", a.is, name)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// AllowShared lets launches have at least the given number of bytes of dynamic shared memory.
// Without it, they have what static shared memory leaves of 48 KiB.
func (f *Function) AllowShared(bytes int) error {
	if most := f.device.SharedPerBlock - f.Shared; bytes > most {
		return &Error{Code: OutOfResources, Call: fmt.Sprintf("asking for %d bytes of dynamic shared memory", bytes), Kernel: f.Name,
			Remedy: fmt.Sprintf("a block has at most %d on %s", most, f.device.Name)}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if bytes <= f.allowed {
		return nil
	}
	err := f.device.call(func() error {
		return failed(setMaxDynamicShared(f.f, bytes), "cuFuncSetAttribute of kernel %s: %d bytes of dynamic shared memory", f.Name, bytes)
	})
	if err == nil {
		f.allowed = bytes
	}
	return err
}

// MaxShared returns how many bytes of dynamic shared memory launches may have now.
func (f *Function) MaxShared() (int, error) {
	var n int
	err := f.device.call(func() (err error) {
		n, err = f.f.Attribute(maxDynamicShared)
		return failed(err, "cuFuncGetAttribute of kernel %s", f.Name)
	})
	return n, err
}

// Occupancy returns how many blocks a multiprocessor runs at once, each with the given number of
// threads and bytes of dynamic shared memory.
func (f *Function) Occupancy(threads, shared int) (int, error) {
	var n int
	err := f.device.call(func() (err error) {
		n, err = f.f.MaxActiveBlocksPerMultiProcessor(threads, int64(shared))
		return failed(err, "cuOccupancyMaxActiveBlocksPerMultiprocessor of kernel %s", f.Name)
	})
	return n, err
}
