package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tributary-ml/tributary/kernels"
)

const (
	sources   = "kernels"
	folder    = "kernels/cubins"
	compilers = "build/cuda/nvidia/cu13/bin"
)

// ptxTargets are architectures for which drivers will compile the PTX. Here ptxas compiles it, to
// prove that it compiles and to find the resources that the kernels then take.
var ptxTargets = []string{"sm_100", "sm_120"}

// nvcc returns the command line that compiles a source for an architecture.
func nvcc(a kernels.Architecture, source, output string) []string {
	kind := "-cubin"
	if a.PTX {
		kind = "-ptx"
	}
	return []string{compilers + "/nvcc", kind, "-arch=" + a.Name, "-std=c++17", "-O3", "-I" + sources, "-Xptxas", "-v",
		sources + "/" + source, "-o", output}
}

// ptxas returns the command line that compiles PTX for a GPU.
func ptxas(target, ptx string) []string {
	return []string{compilers + "/ptxas", "-arch=" + target, "-O3", "-v", ptx, "-o", os.DevNull}
}

// usage is the resources that a kernel takes on a multiprocessor.
type usage struct {
	registers int // per thread
	shared    int // bytes of static shared memory per block
}

// cubins are the results of compiling the sources.
type cubins struct {
	archives map[string]map[string][]byte // by source without .cu: files by name, such as "sm_80.cubin"
	usage    map[string]map[string]usage  // by target, such as "sm_80", and kernel
	inputs   map[string]string            // by source without .cu: the hash of what it was compiled from
}

// build compiles every source for every architecture, with one compiler per processor at a time.
func build(root string) (*cubins, error) {
	if _, err := os.Stat(filepath.Join(root, compilers, "nvcc")); err != nil {
		return nil, fmt.Errorf("no compiler: run tools/cudatoolchain/install.sh (%w)", err)
	}
	names, err := sourceNames(root)
	if err != nil {
		return nil, err
	}
	b := &cubins{archives: map[string]map[string][]byte{}, usage: map[string]map[string]usage{}, inputs: map[string]string{}}
	for _, name := range names {
		b.archives[name] = map[string][]byte{}
		if b.inputs[name], err = inputsHash(root, name); err != nil {
			return nil, err
		}
	}
	if err := os.RemoveAll(filepath.Join(root, "build/cubins")); err != nil {
		return nil, err
	}
	var (
		mu     sync.Mutex
		all    sync.WaitGroup
		failed []error
		slots  = make(chan struct{}, runtime.NumCPU())
	)
	for _, a := range kernels.Architectures {
		if err := os.MkdirAll(filepath.Join(root, "build/cubins", a.Name), 0o755); err != nil {
			return nil, err
		}
		for _, name := range names {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				data, use, err := compile(root, a, name)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failed = append(failed, err)
					return
				}
				b.archives[name][a.Name+a.Extension()] = data
				for target, u := range use {
					if b.usage[target] == nil {
						b.usage[target] = map[string]usage{}
					}
					for kernel, v := range u {
						b.usage[target][kernel] = v
					}
				}
			})
		}
	}
	all.Wait()
	slices.SortFunc(failed, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return b, errors.Join(failed...)
}

// sourceNames lists the .cu files by their names without .cu.
func sourceNames(root string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(root, sources, "*.cu"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no sources in %s: run in the module's root folder", filepath.Join(root, sources))
	}
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(p), ".cu")
	}
	return paths, nil
}

// compile makes one cubin and returns the resources of its kernels by target. If the cubin has
// kernels for warpgroups, compile leaves the PTX beside it that the cubin was made from: no PTX
// that ships has these kernels, and the PTX machine runs them (kernels/ptx).
func compile(root string, a kernels.Architecture, name string) (data []byte, use map[string]map[string]usage, err error) {
	output := filepath.Join("build/cubins", a.Name, name+a.Extension())
	command := nvcc(a, name+".cu", output)
	kept := strings.TrimSuffix(output, a.Extension())
	if a.Warpgroups() {
		if err := os.Mkdir(filepath.Join(root, kept), 0o755); err != nil {
			return nil, nil, err
		}
		command = append(command, "--keep", "--keep-dir", kept)
	}
	log, err := execute(root, command)
	if err != nil {
		return nil, nil, err
	}
	if a.Warpgroups() {
		if err := keepPTX(filepath.Join(root, kept)); err != nil {
			return nil, nil, err
		}
	}
	use = map[string]map[string]usage{}
	if use[a.Name], err = parseLog(log); err != nil {
		return nil, nil, fmt.Errorf("%s/%s.cu for %s: %w", sources, name, a.Name, err)
	}
	if a.PTX {
		delete(use, a.Name)
		for _, target := range ptxTargets {
			if log, err = execute(root, ptxas(target, output)); err != nil {
				return nil, nil, err
			}
			if use[target], err = parseLog(log); err != nil {
				return nil, nil, fmt.Errorf("%s/%s.cu for %s from PTX: %w", sources, name, target, err)
			}
		}
	}
	for _, kernelsOf := range use {
		if err := checkNames(name+".cu", kernelsOf); err != nil {
			return nil, nil, err
		}
	}
	data, err = os.ReadFile(filepath.Join(root, output))
	return data, use, err
}

// keepPTX moves the PTX out of the folder of files that the compiler kept, and removes the folder.
func keepPTX(kept string) error {
	if err := os.Rename(filepath.Join(kept, filepath.Base(kept)+".ptx"), kept+".ptx"); err != nil {
		return err
	}
	return os.RemoveAll(kept)
}

// execute runs a compiler and returns its output. It ignores nvcc's settings in the environment.
func execute(root string, command []string) (string, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = root
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "NVCC_") && !strings.HasPrefix(kv, "LC_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
	}
	return string(out), nil
}

// The lines that ptxas -v prints. Any other line is a warning or reports a problem.
var (
	entryLine = regexp.MustCompile(`^ptxas info    : Compiling entry function '(\w+)' for '\w+'$`)
	usedLine  = regexp.MustCompile(`^ptxas info    : Used (\d+) registers(?:, used \d+ barriers)?(?:, (\d+) bytes smem)?(?:, \d+ bytes cmem\[\d\])*$`)
	cleanLine = regexp.MustCompile(`^    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads$`)
	stackLine = regexp.MustCompile(`^    \d+ bytes stack frame, \d+ bytes spill stores, \d+ bytes spill loads$`)
	plainLine = regexp.MustCompile(`^ptxas info    : (0 bytes gmem|Function properties for \w+|Compile time = [\d.]+ ms)$`)
)

// parseLog parses the output of ptxas -v.
func parseLog(log string) (map[string]usage, error) {
	all := map[string]usage{}
	var kernel string
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, " \n")
		switch {
		case line == "" || cleanLine.MatchString(line) || plainLine.MatchString(line):
		case entryLine.MatchString(line):
			kernel = entryLine.FindStringSubmatch(line)[1]
		case stackLine.MatchString(line):
			return nil, fmt.Errorf("kernel %s spills registers or needs a stack: %s", kernel, strings.TrimSpace(line))
		case usedLine.MatchString(line):
			m := usedLine.FindStringSubmatch(line)
			registers, _ := strconv.Atoi(m[1]) // digits
			shared, _ := strconv.Atoi(m[2])    // digits, or nothing for 0
			all[kernel] = usage{registers, shared}
		default:
			return nil, fmt.Errorf("the compiler says:\n%s", log)
		}
	}
	return all, nil
}

// checkNames compares the kernels in a cubin with the table of package kernels.
func checkNames(source string, got map[string]usage) error {
	want := 0
	for _, k := range kernels.All {
		if k.File != source {
			continue
		}
		want++
		if _, ok := got[k.Name]; !ok {
			return fmt.Errorf("%s/%s: kernel %s is not in the cubin", sources, source, k.Name)
		}
	}
	if len(got) != want {
		return fmt.Errorf("%s/%s has %d kernels, and the table in registry_gen.go %d: run make generate", sources, source, len(got), want)
	}
	return nil
}
