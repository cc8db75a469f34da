package kernels_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Every kernel assembles for the GPUs that images are built for, without spilled registers; and the emulated driver takes the
// images, which it does only if their parameters have the size that the sources say.
func TestImages(t *testing.T) {
	if testing.Short() {
		t.Skip("compiling all kernels for GPUs is a long test")
	}
	if _, err := os.Stat("../build/cuda/requirements.txt"); err != nil {
		t.Skip("no CUDA compiler: run tools/cudatoolchain/install.sh")
	}
	watchSources(t)
	if out, err := exec.Command("./images.sh", "sm_80", "sm_90a").CombinedOutput(); err != nil {
		t.Fatalf("images.sh: %v\n%s", err, out)
	}
	program := build(t, plain, "kernel_tests")
	for _, arch := range []string{"sm_80", "sm_90a"} {
		folder, err := filepath.Abs("../build/images/" + arch)
		if err != nil {
			t.Fatal(err)
		}
		checkKernels(t, []string{"TRIBUTARY_IMAGES=" + folder}, program, "--rounds", "10")
	}
}
