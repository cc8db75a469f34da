package driver

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// toolkit is where tools/cudatoolchain/install.sh puts the toolkit's headers.
const toolkit = "../../build/cuda/nvidia/cu13/include"

// elsewhere are the types and functions of include/cuda.h whose name means a later version in the
// toolkit's header.
var elsewhere = map[string]bool{"CUDA_KERNEL_NODE_PARAMS": true}

// The declarations of include/cuda.h agree with the toolkit's header, if that is installed: a C
// compiler that has read the toolkit's header accepts every prototype again, and finds every
// constant and the size of every struct equal.
func TestHeaderAgainstToolkit(t *testing.T) {
	if _, err := os.Stat(filepath.Join(toolkit, "cuda.h")); err != nil {
		t.Skip("no toolkit: tools/cudatoolchain/install.sh")
	}
	cc := func(input string, args ...string) []byte {
		t.Helper()
		cmd := exec.Command("cc", args...)
		cmd.Stdin = bytes.NewReader([]byte(input))
		var problems bytes.Buffer
		cmd.Stderr = &problems
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, &problems)
		}
		return out
	}
	ours := cc("#include <cuda.h>\n", "-E", "-P", "-DCUDA_INIT_NOW", "-Iinclude", "-")

	var structs []string
	for _, m := range regexp.MustCompile(`(?m)^\} (?:__attribute__\S+ )?(CU\w+);$`).FindAllSubmatch(ours, -1) {
		structs = append(structs, string(m[1]))
	}
	program := "#include <cuda.h>\n#include <stdio.h>\nint main(void) {\n"
	for _, s := range structs {
		program += fmt.Sprintf("printf(\"_Static_assert(sizeof(%[1]s) == %%zu, \\\"%[1]s\\\");\\n\", sizeof(%[1]s));\n", s)
	}
	binary := filepath.Join(t.TempDir(), "sizes")
	cc(program+"}\n", "-Iinclude", "-x", "c", "-", "-o", binary)
	sizes, err := exec.Command(binary).Output()
	if err != nil {
		t.Fatal(err)
	}

	check := "#include <cuda.h>\n"
	for _, line := range bytes.Split(sizes, []byte("\n")) {
		if m := regexp.MustCompile(`sizeof\((\w+)\)`).FindSubmatch(line); m != nil && !elsewhere[string(m[1])] {
			check += string(line) + "\n"
		}
	}
	constants := regexp.MustCompile(`(?m)^ *(CU\w+) = (\w+)`).FindAllSubmatch(ours, -1)
	for _, m := range constants {
		check += fmt.Sprintf("_Static_assert(%s == %s, \"%[1]s\");\n", m[1], m[2])
	}
	functions := regexp.MustCompile(`(?s)CUresult (cu[A-Z]\w*)\([^;]*\);`).FindAllSubmatch(ours, -1)
	for _, m := range functions {
		check += fmt.Sprintf("#undef %s\n%s\n", m[1], m[0])
	}
	if len(structs) < 40 || len(constants) < 250 || len(functions) < 170 {
		t.Fatalf("found %d types, %d constants, %d functions", len(structs), len(constants), len(functions))
	}
	t.Logf("%d types, %d constants, %d functions", len(structs), len(constants), len(functions))
	cc(check, "-fsyntax-only", "-Wno-deprecated-declarations", "-I"+toolkit, "-x", "c", "-")
}
