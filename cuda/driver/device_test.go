//go:build cuda

package driver

import (
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/cu"

	"github.com/tributary-ml/tributary/cuda/driver/drivertest"
)

// open opens the first GPU, or the emulated one, for a test.
func open(t testing.TB) *Device {
	t.Helper()
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { drivertest.Close(t, d) })
	return d
}

// stream makes a stream for a test.
func stream(t testing.TB, d *Device) *Stream {
	t.Helper()
	s, err := d.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { drivertest.Close(t, s) })
	return s
}

// arena allocates pieces of device memory for a test.
func arena(t testing.TB, d *Device, sizes ...int64) *Arena {
	t.Helper()
	a, err := d.NewArena(sizes, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { drivertest.Close(t, a) })
	return a
}

// wantError checks that an error has a code and that its message has the given parts.
func wantError(t *testing.T, err error, code Code, says ...string) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Fatalf("got %v, want %v", err, code)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
}

// needEmulator skips a test of something that only the emulator does.
func needEmulator(t *testing.T) {
	t.Helper()
	if all, err := Devices(); err != nil || !all[0].Emulated() {
		t.Skip("needs the emulator")
	}
}

func TestDevices(t *testing.T) {
	all, err := Devices()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no device")
	}
	for i, d := range all {
		t.Logf("%v, %s, %d multiprocessors, driver for CUDA %v", d, d.UUID, d.SMs, DriverVersion())
		if d.Index != i || d.Name == "" || d.Memory < 1<<30 || d.Major < 5 || d.SMs < 1 || d.SharedPerBlock < 48<<10 {
			t.Errorf("device %d: %+v", i, d)
		}
		if !strings.HasPrefix(d.UUID, "GPU-") || len(d.UUID) != 40 {
			t.Errorf("UUID %q", d.UUID)
		}
	}
}

func TestOpenOtherDevice(t *testing.T) {
	for _, i := range []int{-1, 99} {
		_, err := Open(i)
		wantError(t, err, InvalidDevice, "opening device", "choose one of 0 (")
	}
}

func TestFreeMemory(t *testing.T) {
	d := open(t)
	before, total, err := d.FreeMemory()
	if err != nil || before <= 0 || before > total || total > d.Memory {
		t.Fatal(before, total, d.Memory, err)
	}
	a, err := d.NewArena([]int64{64 << 20}, false)
	if err != nil {
		t.Fatal(err)
	}
	// A driver may return memory that it kept from before, and other programs may free theirs.
	if now, _, err := d.FreeMemory(); err != nil || d.Emulated() && before-now != 64<<20 {
		t.Error(before, now, err)
	}
	drivertest.Close(t, a)
}

func TestClosedDevice(t *testing.T) {
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Close(t, d, d)
	if _, err := d.NewStream(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := d.NewArena([]int64{1}, false); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// A call of cu without a context fails. Through the device, goroutines that move between threads
// find their context.
func TestContexts(t *testing.T) {
	d := open(t)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := cu.SetCurrentContext(cu.CUContext{}); err != nil {
			done <- err
			return
		}
		_, err := cu.MemAlloc(16)
		done <- failed(err, "cuMemAlloc")
	}()
	wantError(t, <-done, InvalidContext, "call through the Device")

	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for range 20 {
				if err := roundTrip(d, int64(1+i*1000)); err != nil {
					t.Error(err)
				}
				runtime.Gosched()
			}
		})
	}
	all.Wait()
}

// Without a working driver, the program runs and says so; gorgonia.org/cu alone would have ended
// it. The libraries stand in for no driver at all, a toolkit's stub, and a driver that is much too
// old.
func TestNoDriver(t *testing.T) {
	if drivertest.IsChild() {
		_, err := Devices()
		t.Log(err)
		return
	}
	needEmulator(t)
	for _, c := range []struct{ name, library, want string }{
		{"none", "", "cuda: cuInit: CUDA error 303: the NVIDIA driver's library libcuda.so.1 was not found: install the driver, version 580 or later, or run with --device cpu"},
		{"a stub", "int cuInit(unsigned f) { return 34; }", "take it out of LD_LIBRARY_PATH"},
		{"an old one", "int cuOld(unsigned f) { return 0; }", "lacks the function: update it to version 580"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.library != "" {
				cmd := exec.Command("cc", "-shared", "-fPIC", "-w", "-x", "c", "-", "-o", filepath.Join(dir, "libcuda.so.1"))
				cmd.Stdin = strings.NewReader(c.library)
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s", out)
			}
			require.Contains(t, drivertest.Child(t, "TestNoDriver", "LD_LIBRARY_PATH="+dir), c.want)
		})
	}
}

// Work in an urgent stream goes first.
func TestStreamPriorities(t *testing.T) {
	d := open(t)
	normal := stream(t, d)
	urgent, err := d.NewUrgentStream()
	require.NoError(t, err)
	defer drivertest.Close(t, urgent)
	require.NoError(t, d.call(func() error {
		n, err := normal.s.Priority()
		require.NoError(t, err)
		u, err := urgent.s.Priority()
		require.NoError(t, err)
		require.Less(t, u, n, "numbers fall with urgency")
		return nil
	}))
}
