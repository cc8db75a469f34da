//go:build cuda

package driver

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"gorgonia.org/cu"
)

// Version is a CUDA version, encoded as 1000·major + 10·minor.
type Version int

func (v Version) String() string { return fmt.Sprintf("%d.%d", v/1000, v%1000/10) }

// MinDriver is the oldest driver that takes the kernels' cubins: it supports the CUDA version of
// the compiler that made them (tools/cudatoolchain), and so their machine code and their version of
// PTX. minDriverName is the version of that driver itself.
const (
	MinDriver     Version = 13000
	minDriverName         = "580"
)

// initialise starts the driver, once in a process. Later calls return the same result.
var initialise = sync.OnceValue(func() error {
	if err := initDriver(); err != nil {
		return failed(err, "cuInit")
	}
	return checkDriver(DriverVersion())
})

func checkDriver(v Version) error {
	if v < MinDriver {
		return fmt.Errorf("cuda: the installed driver is made for CUDA %s, and the kernels need CUDA %s: update the NVIDIA driver to version %s or later, "+
			"or run with --device cpu", v, MinDriver, minDriverName)
	}
	return nil
}

// DriverVersion returns the newest CUDA version that the installed driver supports.
func DriverVersion() Version { return Version(cu.Version()) }

// Info describes a GPU.
type Info struct {
	Index           int // index for Open, among the GPUs that CUDA_VISIBLE_DEVICES selects
	Name, UUID, PCI string
	Memory          int64 // bytes
	Major, Minor    int   // compute capability
	SMs             int   // multiprocessors
	ClockKHz        int
	MemoryClockKHz  int
	MemoryBusBits   int
	L2              int // bytes
	SharedPerBlock  int // bytes per block, at most (Function.AllowShared)
}

// Arch returns the architecture, such as "sm_90".
func (i Info) Arch() string { return fmt.Sprintf("sm_%d%d", i.Major, i.Minor) }

// Warpgroups reports whether the GPU multiplies by warpgroups (wgmma). The cubins for such a GPU,
// sm_90a, have kernels for that.
func (i Info) Warpgroups() bool { return i.Major == 9 && i.Minor == 0 }

func (i Info) String() string {
	return fmt.Sprintf("%s, %s, compute capability %d.%d, PCI %s", i.Name, size(i.Memory), i.Major, i.Minor, i.PCI)
}

// Devices lists the GPUs that this process may use.
func Devices() ([]Info, error) {
	if err := initialise(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, failed(err, "cuDeviceGetCount")
	}
	all := make([]Info, n)
	for i := range all {
		if all[i], _, err = describe(i); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func describe(index int) (Info, cu.Device, error) {
	info := Info{Index: index}
	d, err := cu.GetDevice(index)
	if err != nil {
		return info, d, failed(err, "cuDeviceGet of device %d", index)
	}
	if info.Name, err = d.Name(); err != nil {
		return info, d, failed(err, "cuDeviceGetName of device %d", index)
	}
	if info.Memory, err = d.TotalMem(); err != nil {
		return info, d, failed(err, "cuDeviceTotalMem of device %d", index)
	}
	id, err := d.UUID()
	if err != nil {
		return info, d, failed(err, "cuDeviceGetUuid of device %d", index)
	}
	info.UUID = "GPU-" + id.String()
	var domain, bus, number int
	for _, a := range []struct {
		to *int
		is cu.DeviceAttribute
	}{
		{&domain, cu.PciDomainID},
		{&bus, cu.PciBusID},
		{&number, cu.PciDeviceID},
		{&info.Major, cu.ComputeCapabilityMajor},
		{&info.Minor, cu.ComputeCapabilityMinor},
		{&info.SMs, cu.MultiprocessorCount},
		{&info.ClockKHz, cu.ClockRate},
		{&info.MemoryClockKHz, cu.MemoryClockRate},
		{&info.MemoryBusBits, cu.GlobalMemoryBusWidth},
		{&info.L2, cu.L2CacheSize},
		{&info.SharedPerBlock, maxSharedPerBlock},
	} {
		if *a.to, err = d.Attribute(a.is); err != nil {
			return info, d, failed(err, "cuDeviceGetAttribute %d of device %d", a.is, index)
		}
	}
	info.PCI = fmt.Sprintf("%04x:%02x:%02x.0", domain, bus, number)
	return info, d, nil
}

// Device is an open GPU. It holds the GPU's primary context until Close.
type Device struct {
	Info
	// Blocking means that the host waits for every launch, so that a fault is reported for the
	// launch that caused it. This is slow, and it excludes graphs. CUDA_LAUNCH_BLOCKING=1, a
	// variable that the driver reads too, sets it.
	Blocking bool

	device  cu.Device
	context cu.CUContext
	closed  atomic.Bool
	lost    atomic.Pointer[Error] // the fault that killed the context
}

// Open opens a GPU.
func Open(index int) (*Device, error) {
	all, err := Devices()
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= len(all) {
		return nil, &Error{Code: InvalidDevice, Call: fmt.Sprintf("opening device %d", index), Remedy: choices(all)}
	}
	info, d, err := describe(index)
	if err != nil {
		return nil, err
	}
	ctx, err := d.RetainPrimaryCtx()
	if err != nil {
		return nil, failed(err, "cuDevicePrimaryCtxRetain of device %d, %s", index, info.Name)
	}
	return &Device{Info: info, Blocking: os.Getenv("CUDA_LAUNCH_BLOCKING") == "1", device: d, context: ctx}, nil
}

func choices(all []Info) string {
	if len(all) == 0 {
		return remedies[NoDevice]
	}
	var b strings.Builder
	b.WriteString("choose one of")
	for _, i := range all {
		fmt.Fprintf(&b, " %d (%s)", i.Index, i.Name)
	}
	return b.String()
}

// call runs f on an OS thread on which the device's context is current. The context stays current
// afterwards: all users of the GPU in this process share it, and the next call makes its own
// current. Calls may be nested.
func (d *Device) call(f func() error) error {
	if err := d.usable(); err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cu.SetCurrentContext(d.context); err != nil {
		return failed(err, "cuCtxSetCurrent")
	}
	return d.note(f())
}

// usable returns an error if no call can succeed. After a fault, that is the first error seen,
// which has the most information.
func (d *Device) usable() error {
	if d.closed.Load() {
		return ErrClosed
	}
	if e := d.lost.Load(); e != nil {
		return e
	}
	return nil
}

// note remembers the first error that reports a fault.
func (d *Device) note(err error) error {
	if e := (*Error)(nil); errors.As(err, &e) && e.Code.Lost() {
		d.lost.CompareAndSwap(nil, e)
	}
	return err
}

// release is call for a function that frees something. It does nothing once the context is lost,
// because everything in the context is gone.
func (d *Device) release(f func() error) error {
	if d.lost.Load() != nil {
		return nil
	}
	return d.call(f)
}

// FreeMemory returns how many bytes new allocations can have at most, and the size of the GPU's
// memory. The former changes with other programs.
func (d *Device) FreeMemory() (free, total int64, err error) {
	err = d.call(func() (err error) {
		free, total, err = cu.MemInfo()
		return failed(err, "cuMemGetInfo")
	})
	return free, total, err
}

// Close releases the GPU. Close everything made on the device first.
func (d *Device) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	return failed(d.device.ReleasePrimaryCtx(), "cuDevicePrimaryCtxRelease")
}
