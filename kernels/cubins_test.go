package kernels_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The committed cubins and the table of resources are what the sources compile to, byte for byte.
// The emulated driver accepts the cubins, which it does only if their parameters have the sizes
// that the sources declare.
func TestCubins(t *testing.T) {
	if testing.Short() {
		t.Skip("compiling all kernels for GPUs is a long test")
	}
	if _, err := os.Stat("../build/cuda/requirements.txt"); err != nil {
		t.Skip("no CUDA compiler: run tools/cudatoolchain/install.sh")
	}
	watchSources(t)
	cmd := exec.Command("go", "run", "./kernels/internal/buildcubins", "-check")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	program := build(t, plain, "kernel_tests")
	for _, arch := range []string{"sm_90a", "compute_80"} {
		folder, err := filepath.Abs("../build/cubins/" + arch)
		if err != nil {
			t.Fatal(err)
		}
		checkKernels(t, []string{"TRIBUTARY_CUBINS=" + folder}, program, "--rounds", "10")
	}
}
