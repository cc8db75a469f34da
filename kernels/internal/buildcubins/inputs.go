package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/kernels"
)

// pins names the versions of the compiler.
const pins = "tools/cudatoolchain/requirements.txt"

// hostHeader is included only by host compilers, so cubins do not depend on it.
const hostHeader = sources + "/gpu/host.h"

var includeLine = regexp.MustCompile(`(?m)^\s*#\s*include\s+"([^"]+)"`)

// inputsHash returns SHA-256 over everything that a source's cubins depend on: the source and its
// headers, the compiler and its options.
func inputsHash(root, name string) (string, error) {
	files := map[string][]byte{}
	if err := readWithIncludes(root, sources+"/"+name+".cu", files); err != nil {
		return "", err
	}
	var err error
	if files[pins], err = os.ReadFile(filepath.Join(root, pins)); err != nil {
		return "", err
	}
	h := sha256.New()
	for _, a := range kernels.Architectures {
		fmt.Fprintf(h, "%q\n", nvcc(a, name+".cu", ""))
	}
	for _, p := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%s %d\n%s", p, len(files[p]), files[p])
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// readWithIncludes reads a file and the files that it includes with quotes. into has them by their
// paths from the root.
func readWithIncludes(root, file string, into map[string][]byte) error {
	if _, ok := into[file]; ok || file == hostHeader {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return err
	}
	into[file] = text
	for _, m := range includeLine.FindAllSubmatch(text, -1) {
		include := path.Join(path.Dir(file), string(m[1]))
		if _, err := os.Stat(filepath.Join(root, include)); errors.Is(err, fs.ErrNotExist) {
			include = path.Join(sources, string(m[1])) // -I
		}
		if err := readWithIncludes(root, include, into); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// manifestHead is the beginning of manifest.txt.
const manifestHead = `# Written by make cubins. For each source: its name; SHA-256 of what its cubins are compiled from, which is the source, its
# headers, the compiler's versions and its options; SHA-256 of its archive. A test compares both with what is there.
`

// manifest returns the text of manifest.txt. archives are the archives in the folder.
func manifest(inputs map[string]string, archives map[string][]byte) []byte {
	var b strings.Builder
	b.WriteString(manifestHead)
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		fmt.Fprintf(&b, "%s %s %x\n", name, inputs[name], sha256.Sum256(archives[name]))
	}
	return []byte(b.String())
}
