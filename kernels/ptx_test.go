//go:build ptx

package kernels_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/kernels"
	"github.com/tributary-ml/tributary/kernels/cubins"
)

// What the compiler made of the kernels runs on the PTX machine (ptx/README.md). make ptx runs
// these tests; with PTX_LONG=1 they run with more seeds, and all mutations.

func long() bool { return os.Getenv("PTX_LONG") != "" }

// code is what one compilation gives: files of PTX by source, in a folder, and the device that
// takes them.
type code struct {
	device string
	folder string
}

// compiled returns the PTX as it ships, of compute_80, and that of sm_90a, which must have been
// made on the way to the cubins that ship.
func compiled(t *testing.T) map[string]code {
	t.Helper()
	all := map[string]code{"compute_80": {"10.0", t.TempDir()}, "sm_90a": {"9.0", t.TempDir()}}
	for _, a := range kernels.Architectures {
		c, ok := all[a.Name]
		if !ok {
			continue
		}
		for _, source := range sources() {
			data, err := cubins.Read(source, a)
			require.NoError(t, err)
			name := strings.TrimSuffix(source, ".cu")
			if !a.PTX {
				built := filepath.Join("../build/cubins", a.Name, name)
				cubin, err := os.ReadFile(built + a.Extension())
				require.NoError(t, err, "run make cubins: it leaves the PTX of %s", a.Name)
				require.Equal(t, data, cubin, "%s.cubin is not the one in kernels/cubins: run make cubins", built)
				data, err = os.ReadFile(built + ".ptx")
				require.NoError(t, err, "run make cubins: it leaves the PTX of %s", a.Name)
			}
			require.NoError(t, os.WriteFile(filepath.Join(c.folder, name+".ptx"), data, 0o644))
		}
	}
	return all
}

// sources lists the .cu files.
func sources() []string {
	var all []string
	for _, k := range kernels.All {
		if !slices.Contains(all, k.File) {
			all = append(all, k.File)
		}
	}
	return all
}

// buildPTX makes the machine and returns the kernel tests that run on it.
func buildPTX(t *testing.T) string {
	t.Helper()
	watchSources(t)
	cmd := exec.Command("make", "-s", "-j2", "-C", "ptx", "kernel-tests")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	path, err := filepath.Abs("../build/ptx/kernel_tests")
	require.NoError(t, err)
	return path
}

// on are the settings that run code.
func (c code) on(settings ...string) []string {
	return append([]string{"PTX_DEVICE=" + c.device, "TRIBUTARY_CUBINS=" + c.folder}, settings...)
}

// The settings under which all kernel tests pass.
func ptxSettings() [][]string {
	all := [][]string{
		nil,
		{"EMULATOR_SEED=1", "EMULATOR_TRUNCATE=1", "PTX_APPROXIMATE=1", "PTX_WEAK=1", "PTX_STALE=1", "PTX_LATE=2"},
	}
	if long() {
		for seed := 2; seed <= 8; seed++ {
			all = append(all, []string{fmt.Sprintf("EMULATOR_SEED=%d", seed), fmt.Sprintf("PTX_RESIDENT=%d", seed%4), fmt.Sprintf("EMULATOR_TRUNCATE=%d", seed%2),
				fmt.Sprintf("PTX_WEAK=%d", seed/2%2), fmt.Sprintf("PTX_APPROXIMATE=%d", seed%2), fmt.Sprintf("PTX_LATE=%d", seed%3), fmt.Sprintf("PTX_SHARED_BASE=%d", 1024*(seed%3))})
		}
	}
	return all
}

// Every kernel test passes on both codes. All seeds together execute what is not listed in
// ptx/uncovered.txt.
func TestPTXKernels(t *testing.T) {
	program := buildPTX(t)
	for name, c := range compiled(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "coverage")
			for i, s := range ptxSettings() {
				args := []string{"--seed", fmt.Sprint(i + 1)}
				if i > 0 && !long() {
					args = append(args, "--rounds", "50")
				}
				checkKernels(t, c.on(append(s, "PTX_COVERAGE="+file)...), program, args...)
			}
			if long() {
				checkCoverage(t, name, file)
			}
		})
	}
}

// uncovered is a line of ptx/uncovered.txt: so many instructions of a kernel are executed by no
// test, and why.
type uncovered struct {
	architecture, kernel string
	instructions         int
	reason               string
}

func readUncovered(t *testing.T) []uncovered {
	t.Helper()
	data, err := os.ReadFile("ptx/uncovered.txt")
	require.NoError(t, err)
	var all []uncovered
	for line := range strings.Lines(string(data)) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if f[0] == "" || f[0] == "#" {
			continue
		}
		require.Len(t, f, 4, "ptx/uncovered.txt: %s", line)
		n, err := strconv.Atoi(f[2])
		require.NoError(t, err, "ptx/uncovered.txt: %s", line)
		all = append(all, uncovered{f[0], f[1], n, f[3]})
	}
	return all
}

// checkCoverage reads what the machine counted: kernel, line, count, instruction.
func checkCoverage(t *testing.T, architecture, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	type place struct {
		kernel string
		index  string
		text   string
	}
	counts := map[place]int{}
	for line := range strings.Lines(string(data)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 4)
		require.Len(t, f, 4)
		n, err := strconv.Atoi(f[2])
		require.NoError(t, err)
		counts[place{f[0], f[1], f[3]}] += n
	}
	missed, executed := map[string]int{}, 0
	for p, n := range counts {
		if n == 0 {
			missed[p.kernel]++
		} else {
			executed++
		}
	}
	percent := 100 * float64(executed) / float64(len(counts))
	t.Logf("%d of %d instructions executed, %.1f %%", executed, len(counts), percent)
	require.GreaterOrEqual(t, percent, 96.0)
	known := map[string]int{}
	for _, u := range readUncovered(t) {
		if u.architecture == architecture {
			known[u.kernel] += u.instructions
		}
	}
	for kernel, n := range missed {
		if n > known[kernel] {
			t.Errorf("%s: %d instructions of %s are executed by no test, and ptx/uncovered.txt has reasons for %d", architecture, n, kernel, known[kernel])
		}
	}
}

// Where the machine says that elements lie, in fragments and in shared memory, is where CUTLASS
// says it.
func TestPTXLayouts(t *testing.T) {
	for _, script := range []string{"../tools/wheels/install.sh", "../tools/cudatoolchain/install.sh"} {
		if out, err := exec.Command(script, "cutlass").CombinedOutput(); err != nil {
			t.Skipf("no headers of CUTLASS: %s: %v\n%s", script, err, out)
		}
	}
	out, err := exec.Command("make", "-s", "-C", "ptx", "layouts").CombinedOutput()
	require.NoError(t, err, "%s", out)
	// CUTLASS complains of every address of the host, which the program replaces.
	out, err = exec.Command("../build/ptx/compare_layouts").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `(?m)^160576 places compared, 0 differ$`, string(out))
}
