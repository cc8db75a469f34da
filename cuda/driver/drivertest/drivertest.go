// Package drivertest helps tests of CUDA: it closes what they open, and runs a test again in a new
// process, where the emulated driver has other settings.
package drivertest

import (
	"io"
	"os"
	"os/exec"
	"testing"
)

// Close closes what a test has opened. An error fails the test.
func Close(t testing.TB, all ...io.Closer) {
	t.Helper()
	for _, c := range all {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// inChild is set in the environment of a child process.
const inChild = "CUDA_TEST_CHILD"

// Child runs one test of this program again in a new process, with settings such as
// "EMULATOR_LAZY=1" in its environment, and returns what it printed. The test calls IsChild to find
// out in which of the two processes it runs.
func Child(t *testing.T, test string, settings ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), inChild+"=1"), settings...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return string(out)
}

// IsChild reports whether this process was started by Child.
func IsChild() bool { return os.Getenv(inChild) != "" }
