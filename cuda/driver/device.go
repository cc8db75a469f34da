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

// Version is a version of CUDA: 1000·major + 10·minor.
type Version int

func (v Version) String() string { return fmt.Sprintf("%d.%d", v/1000, v%1000/10) }

// MinDriver is the oldest driver that takes the kernels' cubins: it knows the CUDA of the compiler that made them
// (tools/cudatoolchain), and with it their machine code and their version of PTX. minDriverName is its own version.
const (
	MinDriver     Version = 13000
	minDriverName         = "580"
)

// initialise starts the driver, once in a process. Later calls give the same answer.
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

// DriverVersion is the newest CUDA that the installed driver knows.
func DriverVersion() Version { return Version(cu.Version()) }

// Info describes a GPU.
type Info struct {
	Index           int // for Open; CUDA_VISIBLE_DEVICES decides which GPUs count
	Name, UUID, PCI string
	Memory          int64 // bytes
	Major, Minor    int   // compute capability
	SMs             int   // multiprocessors
	ClockKHz        int
	MemoryClockKHz  int
	MemoryBusBits   int
	L2              int // bytes
	SharedPerBlock  int // bytes that a block may have at most (Function.AllowShared)
}

// Arch is the architecture, such as "sm_90".
func (i Info) Arch() string { return fmt.Sprintf("sm_%d%d", i.Major, i.Minor) }

// Warpgroups says whether the GPU multiplies by warpgroups (wgmma), for which its cubins, sm_90a, have kernels of their own.
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

// Device is a GPU that is open: its primary context is held until Close.
type Device struct {
	Info
	// Blocking says that every launch is waited for, so that a fault is reported for the launch that it came from. It is slow,
	// and it excludes graphs. CUDA_LAUNCH_BLOCKING=1, which the driver reads too, sets it.
	Blocking bool

	device  cu.Device
	context cu.CUContext
	closed  atomic.Bool
	lost    atomic.Pointer[Error] // the fault that killed the context
}

// Open takes a GPU into use.
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

// call runs f on an OS thread where the device's context is current. The context stays current there: it is the one that
// all share, and the next call sets its own. Calls may be nested.
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

// usable returns why no call can succeed: after a fault, the error that was seen first, which knows most about it.
func (d *Device) usable() error {
	if d.closed.Load() {
		return ErrClosed
	}
	if e := d.lost.Load(); e != nil {
		return e
	}
	return nil
}

// note remembers the first error of a fault.
func (d *Device) note(err error) error {
	if e := (*Error)(nil); errors.As(err, &e) && e.Code.Lost() {
		d.lost.CompareAndSwap(nil, e)
	}
	return err
}

// release is call for what frees something. A context that died took everything with it.
func (d *Device) release(f func() error) error {
	if d.lost.Load() != nil {
		return nil
	}
	return d.call(f)
}

// FreeMemory is what new allocations can have at most, and all that there is. Other programs change the former.
func (d *Device) FreeMemory() (free, total int64, err error) {
	err = d.call(func() (err error) {
		free, total, err = cu.MemInfo()
		return failed(err, "cuMemGetInfo")
	})
	return free, total, err
}

// Close gives the GPU back. Everything made on the device must have been closed before.
func (d *Device) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	return failed(d.device.ReleasePrimaryCtx(), "cuDevicePrimaryCtxRelease")
}
