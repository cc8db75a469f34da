package kernels_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// variant is a build of the emulator; see emulator/Makefile.
type variant string

const (
	plain   variant = "plain"
	asan    variant = "asan"
	tsan    variant = "tsan"
	preempt variant = "preempt"
	trace   variant = "trace"
)

// dir returns the folder of a variant's programs.
func (v variant) dir() string {
	if v == plain {
		return "../build/emulated"
	}
	return filepath.Join("../build/emulated", string(v))
}

// build makes a target of a variant and returns the path of the program. It skips the test if the
// compiler is missing.
func build(t *testing.T, v variant, program string) string {
	t.Helper()
	if runtime.GOARCH != "amd64" || runtime.GOOS != "linux" {
		t.Skip("the emulator runs on Linux on x86-64 only")
	}
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("no make: install it, and a C++17 compiler, to run the kernels' tests")
	}
	if v == plain {
		if !hasCompiler("clang++-19", "clang++", "g++") {
			t.Skip("no C++ compiler: install clang-19 or g++ to run the kernels' tests")
		}
	} else {
		if testing.Short() {
			t.Skipf("the %s build is a long test", v)
		}
		if !hasCompiler("clang++-19", "clang++") {
			t.Skipf("no clang++: install clang-19 and libclang-rt-19-dev for the %s build", v)
		}
	}
	watchSources(t)
	target := strings.ReplaceAll(program, "_", "-")
	cmd := exec.Command("make", "-j2", "-C", "emulator", "VARIANT="+string(v), target)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	path, err := filepath.Abs(filepath.Join(v.dir(), program))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func hasCompiler(names ...string) bool {
	for _, n := range names {
		if _, err := exec.LookPath(n); err == nil {
			return true
		}
	}
	return false
}

// watchSources opens every source, so that go test reuses no result after the kernels have changed.
func watchSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		_, err = os.Stat(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a program and returns its exit code and its output. Of the settings of the emulator and
// of the PTX machine, only the given ones are set.
func run(t *testing.T, settings []string, program string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "EMULATOR_") && !strings.HasPrefix(kv, "PTX_") && !strings.HasPrefix(kv, "ASAN_") && !strings.HasPrefix(kv, "TSAN_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	symbolizer := ""
	if path, err := exec.LookPath("addr2line"); err == nil { // of binutils, which comes with every compiler
		symbolizer = ":external_symbolizer_path=" + path
	}
	cmd.Env = append(cmd.Env, "ASAN_OPTIONS=detect_leaks=0"+symbolizer, "TSAN_OPTIONS=exitcode=66"+symbolizer)
	cmd.Env = append(cmd.Env, settings...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode(), string(out)
	case err != nil:
		t.Fatalf("%v: %v", cmd, err)
	}
	return 0, string(out)
}
