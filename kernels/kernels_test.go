package kernels_test

import (
	"fmt"
	"strings"
	"testing"
)

// checkKernels compares every kernel with its reference and expects no failure.
func checkKernels(t *testing.T, settings []string, program string, args ...string) {
	t.Helper()
	code, out := run(t, settings, program, args...)
	if code != 0 || !strings.Contains(out, " 0 failures") {
		t.Errorf("%s %s: exit code %d\n%s", strings.Join(settings, " "), strings.Join(args, " "), code, lastLines(out, 60))
	}
}

// lastLines returns the end of a long output without the tests that passed.
func lastLines(s string, n int) string {
	var lines []string
	for l := range strings.Lines(s) {
		if !strings.HasPrefix(l, "ok ") {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

func TestKernels(t *testing.T) {
	program := build(t, plain, "kernel_tests")
	checkKernels(t, nil, program)
	checkKernels(t, []string{"EMULATOR_WORKERS=2"}, program, "--seed", "2")
	for seed := 1; seed <= 3; seed++ {
		checkKernels(t, []string{fmt.Sprintf("EMULATOR_SEED=%d", seed)}, program, "--seed", fmt.Sprint(seed+2), "--rounds", "50")
	}
}

func TestKernelsUnderAddressSanitizer(t *testing.T) {
	program := build(t, asan, "kernel_tests")
	checkKernels(t, nil, program)
	checkKernels(t, []string{"EMULATOR_SEED=1"}, program, "--seed", "7", "--rounds", "50")
}

func TestKernelsUnderThreadSanitizer(t *testing.T) {
	program := build(t, tsan, "kernel_tests")
	checkKernels(t, nil, program, "--rounds", "20")
	checkKernels(t, []string{"EMULATOR_SEED=1"}, program, "--seed", "7", "--rounds", "20")
}

func TestKernelsWithPreemption(t *testing.T) {
	program := build(t, preempt, "kernel_tests")
	checkKernels(t, []string{"EMULATOR_SEED=1", "EMULATOR_PREEMPT=20"}, program, "--rounds", "20")
}
