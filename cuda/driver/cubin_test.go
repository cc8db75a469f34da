//go:build cuda

package driver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/kernels"

	"github.com/tributary-ml/tributary/cuda/driver/drivertest"
)

func TestNoCubin(t *testing.T) {
	d := open(t)
	_, err := d.Load("nonsense", []byte("nonsense"))
	wantError(t, err, InvalidImage, "image nonsense (8 bytes) for "+d.Arch()+", driver for CUDA "+DriverVersion().String(),
		"update the NVIDIA driver to version 580 or later", "make cubins cuda", "--device cpu")
	_, err = d.Load("nothing", nil)
	require.ErrorContains(t, err, "image nothing is empty")
}

func TestCubinsForGPUs(t *testing.T) {
	for _, c := range []struct {
		info Info
		want string
	}{
		{Info{Name: "NVIDIA A100", Major: 8}, "sm_80 machine code"},
		{Info{Name: "NVIDIA H100", Major: 9}, "sm_90a machine code"},
		{Info{Name: "NVIDIA GeForce RTX 5090", Major: 12}, "PTX for compute_80, compiled by the driver"},
		{Info{Name: "Emulated NVIDIA H100", Major: 9}, "the emulator's own"},
		{Info{Name: "Tesla T4", Major: 7, Minor: 5}, "none: the kernels need compute capability 8.0 or later, and this GPU has 7.5: run with --device cpu"},
	} {
		require.Equal(t, c.want, c.info.Kernels())
	}
	_, err := cubinsFor(Info{Name: "Tesla T4", Major: 7, Minor: 5})
	require.EqualError(t, err, "cuda: Tesla T4: the kernels need compute capability 8.0 or later, and this GPU has 7.5: run with --device cpu")
}

func TestCheckDriver(t *testing.T) {
	require.NoError(t, checkDriver(13000))
	require.NoError(t, checkDriver(13020))
	require.EqualError(t, checkDriver(12090), "cuda: the installed driver is made for CUDA 12.9, and the kernels need CUDA 13.0: "+
		"update the NVIDIA driver to version 580 or later, or run with --device cpu")
}

// The GPU accepts every cubin for it, machine code and PTX, finds every kernel in it, and refuses
// machine code for other GPUs. The log has the resources of each kernel, and what the driver's
// compiler said about the PTX; with CUDA_CACHE_DISABLE=1 it compiles each time. The emulated driver
// accepts a cubin only if the sources that it was built with have the same kernels and parameters.
func TestEmbeddedCubins(t *testing.T) {
	d := open(t)
	files := map[string]bool{}
	for _, k := range kernels.All {
		files[k.File] = true
	}
	for _, a := range kernels.Architectures {
		t.Run(a.Name, func(t *testing.T) {
			l := newLibrary(d, cubinsOf(a))
			defer drivertest.Close(t, l)
			if !a.RunsOn(d.Major, d.Minor) {
				_, err := l.Function("update")
				wantError(t, err, NoBinaryForGPU, "image optimizer.cu, "+a.Name+" machine code (", "driver for CUDA "+DriverVersion().String())
				return
			}
			var table strings.Builder
			begin := time.Now()
			for _, k := range kernels.All {
				f, err := l.Function(k.Name)
				require.NoError(t, err)
				require.Equal(t, k.Threads, f.MaxThreads)
				fmt.Fprintf(&table, "\n%-40s%12d%10d%10d%10d", k.Name, f.Registers, f.Spilled, f.Shared, f.Binary)
			}
			require.Len(t, l.modules, len(files))
			t.Logf("%s on %s: %d kernels of %d cubins in %v\n%-40s%12s%10s%10s%10s%s", l.cubins.name, d, len(kernels.All), len(files),
				time.Since(begin).Round(time.Millisecond), "kernel", "registers", "spilled", "shared", "binary", &table)
			switch log := l.CompilerLog(); {
			case !a.PTX:
				require.Empty(t, log)
			case d.Emulated():
				require.Contains(t, log, "optimizer.cu:\ninfo    : emulated kernel gradient_norm\ninfo    : emulated kernel update\n")
			default:
				t.Logf("the driver's compiler:\n%s", log)
			}
		})
	}
}

func TestStaleCubin(t *testing.T) {
	needEmulator(t)
	ptx := cubinsOf(kernels.Architecture{Name: "compute_80", Major: 8, PTX: true})
	l := newLibrary(open(t), cubinSet{"old PTX", func(source string) ([]byte, error) {
		data, err := ptx.read(source)
		return []byte(strings.ReplaceAll(string(data), "scale_f32_param_0[", "scale_f32_param_0[1")), err
	}})
	defer drivertest.Close(t, l)
	_, err := l.Function("scale_f32")
	wantError(t, err, InvalidImage, "image scale.cu, old PTX", "kernel scale_f32", "make cubins cuda")
	_, err = l.Function("scale_bf16")
	require.NoError(t, err)
}

// A cubin is loaded once, when it is needed.
func TestLibrary(t *testing.T) {
	d := open(t)
	cubins, err := cubinsFor(d.Info)
	require.NoError(t, err)
	var read []string
	l := newLibrary(d, cubinSet{cubins.name, func(source string) ([]byte, error) {
		read = append(read, source)
		return cubins.read(source)
	}})
	require.Empty(t, read)
	for _, name := range []string{"scale_f32", "scale_bf16", "add_f32", "scale_f32"} {
		f, err := l.Function(name)
		require.NoError(t, err)
		require.Equal(t, name, f.Name)
	}
	require.Equal(t, []string{"scale.cu", "add.cu"}, read)
	_, err = l.Function("missing")
	require.EqualError(t, err, "cuda: there is no kernel missing")
	drivertest.Close(t, l)
	_, err = l.Function("scale_f32")
	require.NoError(t, err)
	require.Len(t, read, 3)
	drivertest.Close(t, l)
}
