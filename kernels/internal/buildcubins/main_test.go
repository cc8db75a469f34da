package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/kernels"
)

const root = "../../.."

// The committed cubins were made from the current sources. This test needs no compiler; TestCubins
// of package kernels compiles.
func TestCubinsAreUpToDate(t *testing.T) {
	names, err := sourceNames(root)
	require.NoError(t, err)
	archives, err := readArchives(filepath.Join(root, folder))
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, folder, "manifest.txt"))
	require.NoError(t, err)
	made := map[string][]string{} // by source: what it was made from, and the archive
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 {
			made[f[0]] = f[1:]
		}
	}
	for _, name := range names {
		inputs, err := inputsHash(root, name)
		require.NoError(t, err)
		if got := made[name]; len(got) != 2 || got[0] != inputs {
			t.Errorf("kernels/%s.cu, a header that it includes or the compiler has changed since its cubins were built: run make cubins", name)
		} else if got[1] != fmt.Sprintf("%x", sha256.Sum256(archives[name])) {
			t.Errorf("%s/%s.zip is not the one that manifest.txt is about: run make cubins", folder, name)
		}
	}
	if len(archives) != len(names) || len(made) != len(names) {
		t.Errorf("%d sources, %d archives, %d lines in manifest.txt: run make cubins", len(names), len(archives), len(made))
	}
	table, err := os.ReadFile(filepath.Join(root, folder, "resources.txt"))
	require.NoError(t, err)
	for _, k := range kernels.All {
		require.Contains(t, string(table), "\n"+k.Name+" ", "resources.txt: run make cubins")
	}
}

func TestInputs(t *testing.T) {
	files := map[string][]byte{}
	require.NoError(t, readWithIncludes(root, "kernels/conv_forward.cu", files))
	for _, f := range []string{"kernels/conv_forward.cu", "kernels/gpu/conv.h", "kernels/gpu/gemm.h", "kernels/gpu/gpu.h", "kernels/gpu/device.h", "kernels/params.h"} {
		require.Contains(t, files, f)
	}
	require.NotContains(t, files, hostHeader)
	require.NotContains(t, files, "kernels/gpu/philox.h")

	dir := t.TempDir()
	put := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	hash := func() string {
		h, err := inputsHash(dir, "x")
		require.NoError(t, err)
		return h
	}
	put(pins, "nvcc==1")
	put("kernels/x.cu", "#include \"gpu/x.h\"\n")
	_, err := inputsHash(dir, "x")
	require.ErrorContains(t, err, "kernels/x.cu: open ")
	put("kernels/gpu/x.h", "#include \"params.h\"\n#include <stdint.h>\n")
	put("kernels/params.h", "")
	seen := map[string]bool{hash(): true}
	for _, change := range [][2]string{{"kernels/params.h", "\n"}, {"kernels/gpu/x.h", "#include \"params.h\"\n"}, {pins, "nvcc==2"}, {"kernels/x.cu", "#include \"gpu/x.h\"\n\n"}} {
		put(change[0], change[1])
		require.False(t, seen[hash()], change[0])
		seen[hash()] = true
	}
	put("kernels/other.cu", "")
	require.True(t, seen[hash()])
}

// ptxasLog is what ptxas -v prints for one kernel.
const ptxasLog = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'a' for 'sm_80'
ptxas info    : Function properties for a
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 4096 bytes smem, 456 bytes cmem[0]
ptxas info    : Compile time = 12.541 ms
`

func TestParseLog(t *testing.T) {
	use, err := parseLog(ptxasLog + strings.NewReplacer("'a'", "'b'", "used 1 barriers, 4096 bytes smem, ", "").Replace(ptxasLog))
	require.NoError(t, err)
	require.Equal(t, map[string]usage{"a": {40, 4096}, "b": {40, 0}}, use)
	for _, c := range []struct{ replace, with, says string }{
		{"0 bytes spill stores", "8 bytes spill stores", "kernel a spills registers or needs a stack"},
		{"0 bytes stack frame", "16 bytes stack frame", "kernel a spills registers or needs a stack"},
		{"0 bytes gmem", "4 bytes gmem", "the compiler says"},
		{"barriers,", "barriers, 32 bytes cumulative stack size,", "the compiler says"},
		{"ptxas info    : 0 bytes gmem", "kernels/add.cu(3): warning #177-D: variable \"x\" was declared but never referenced", "warning #177-D"},
		{"ptxas info    : 0 bytes gmem", "ptxas info    : (C7510) Potential Performance Loss", "C7510"},
	} {
		_, err := parseLog(strings.Replace(ptxasLog, c.replace, c.with, 1))
		require.ErrorContains(t, err, c.says)
	}
}

func TestCheckNames(t *testing.T) {
	both := map[string]usage{"scale_f32": {}, "scale_bf16": {}}
	require.NoError(t, checkNames("scale.cu", both))
	require.ErrorContains(t, checkNames("scale.cu", map[string]usage{"scale_f32": {}, "scale": {}}), "kernel scale_bf16 is not in the cubin")
	both["more"] = usage{}
	require.ErrorContains(t, checkNames("scale.cu", both), "run make generate")
}

// The numbers were computed by hand from the limits in the CUDA programming guide.
func TestBlocks(t *testing.T) {
	for _, c := range []struct {
		target  string
		use     usage
		threads int
		want    int
	}{
		{"sm_80", usage{32, 0}, 256, 8},
		{"sm_80", usage{33, 0}, 256, 6},
		{"sm_80", usage{128, 0}, 256, 2},
		{"sm_80", usage{129, 0}, 256, 1},
		{"sm_80", usage{255, 0}, 256, 1},
		{"sm_86", usage{32, 0}, 256, 6},
		{"sm_86", usage{32, 32 << 10}, 256, 3},
		{"sm_90a", usage{32, 48 << 10}, 256, 4},
		{"sm_90a", usage{168, 0}, 128, 3},
	} {
		require.Equal(t, c.want, multiprocessors[c.target].blocks(c.use, c.threads), "%v", c)
	}
	for _, a := range kernels.Architectures {
		require.True(t, a.PTX || multiprocessors[a.Name].threads > 0, a.Name)
	}
	for _, target := range ptxTargets {
		require.Positive(t, multiprocessors[target].threads, target)
	}
}

// cubinsOf returns a build of one source.
func cubinsOf(files map[string][]byte) *cubins {
	b := &cubins{archives: map[string]map[string][]byte{"x": files}, inputs: map[string]string{"x": "1"}, usage: map[string]map[string]usage{}}
	for target := range multiprocessors {
		b.usage[target] = map[string]usage{}
		for _, k := range kernels.All {
			b.usage[target][k.Name] = usage{registers: 32}
		}
	}
	return b
}

func TestWriteAndCompare(t *testing.T) {
	dir := t.TempDir()
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(data)
	}
	b := cubinsOf(map[string][]byte{"sm_80.cubin": []byte("machine code"), "compute_80.ptx": []byte("text")})
	require.ErrorContains(t, b.compare(dir), "x.zip")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "old.zip"), nil, 0o644))
	require.NoError(t, b.write(dir))
	require.NoFileExists(t, filepath.Join(dir, "old.zip"))
	require.NoError(t, b.compare(dir))
	first, table := read("x.zip"), read("resources.txt")

	// Writing the same files again makes the same bytes. An archive that another compressor made of
	// the same files stays.
	require.NoError(t, os.Remove(filepath.Join(dir, "x.zip")))
	require.NoError(t, b.write(dir))
	require.Equal(t, first, read("x.zip"))
	same := first + "\x00" // after the end of the archive
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.zip"), []byte(same), 0o644))
	require.NoError(t, b.write(dir))
	require.Equal(t, same, read("x.zip"))
	require.NoError(t, b.compare(dir))

	b.archives["x"]["sm_80.cubin"] = []byte("other code")
	b.usage["sm_80"]["update"] = usage{registers: 40}
	b.inputs["x"] = "2"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "old.zip"), nil, 0o644))
	err := b.compare(dir)
	require.ErrorContains(t, err, "run make cubins")
	require.ErrorContains(t, err, "x.zip: sm_80.cubin is not what the source compiles to")
	require.NotContains(t, err.Error(), "compute_80.ptx")
	require.ErrorContains(t, err, "old.zip has no source")
	require.ErrorContains(t, err, "resources.txt should have the line: update ")
	require.ErrorContains(t, err, "manifest.txt should have the line: x 2 ")
	require.Equal(t, table, read("resources.txt"))
	require.NoError(t, b.write(dir))
	require.NoError(t, b.compare(dir))
}

// Of all that nvcc keeps, the PTX stays beside the cubin.
func TestKeepPTX(t *testing.T) {
	root := t.TempDir()
	kept := filepath.Join(root, "add")
	require.NoError(t, os.Mkdir(kept, 0o755))
	for name, text := range map[string]string{"add.ptx": ".version 9.0", "add.cpp1.ii": "int x;"} {
		require.NoError(t, os.WriteFile(filepath.Join(kept, name), []byte(text), 0o644))
	}
	require.NoError(t, keepPTX(kept))
	got, err := os.ReadFile(filepath.Join(root, "add.ptx"))
	require.NoError(t, err)
	require.Equal(t, ".version 9.0", string(got))
	require.NoDirExists(t, kept)
	require.Error(t, keepPTX(kept), "nvcc kept nothing")
}
