package kernels_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// A C++ compiler agrees with Go about the size of every struct and the offset of every field.
func TestParamsHaveTheSameLayoutInGoAndC(t *testing.T) {
	var compiler string
	for _, c := range []string{"clang++-19", "clang++", "g++"} {
		if path, err := exec.LookPath(c); err == nil {
			compiler = path
			break
		}
	}
	if compiler == "" {
		t.Skip("no C++ compiler: install clang-19 or g++")
	}
	header, err := os.ReadFile("params.h")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#include <stddef.h>\n#include \"params.h\"\n")
	for _, v := range mirrored {
		typ := reflect.TypeOf(v)
		fmt.Fprintf(&b, "static_assert(sizeof(%s) == %d, \"\");\n", typ.Name(), typ.Size())
		names := fieldNames(string(header), typ.Name())
		if len(names) != typ.NumField() {
			t.Errorf("%s has %d fields in Go and %d in C", typ.Name(), typ.NumField(), len(names))
			continue
		}
		for i, name := range names {
			fmt.Fprintf(&b, "static_assert(offsetof(%s, %s) == %d, \"\");\n", typ.Name(), name, typ.Field(i).Offset)
		}
	}
	cmd := exec.Command(compiler, "-std=c++17", "-I.", "-x", "c++", "-fsyntax-only", "-")
	cmd.Stdin = strings.NewReader(b.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", cmd, err, out)
	}
}

// fieldNames returns the names of a struct's fields in the header, in order.
func fieldNames(header, name string) []string {
	end := strings.Index(header, "} "+name+";")
	if end < 0 {
		return nil
	}
	body := header[strings.LastIndex(header[:end], "typedef struct {"):end]
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^  [^/\n]*?(\w+)(?:\[\w+\])?;`).FindAllStringSubmatch(body, -1) {
		names = append(names, m[1])
	}
	return names
}

// The generated files are what go generate would write.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	dir := t.TempDir()
	sources, err := filepath.Glob("*.cu")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(sources, "params.h") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "run", "./internal/genparams", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"params_gen.go", "registry_gen.go", "layout_gen_test.go"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not current: run go generate ./kernels (%v)", name, err)
		}
	}
}
