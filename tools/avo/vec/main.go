// Command vec writes the assembly of cpu/internal/vec: for each operation one file of kernels and
// one of their Go declarations, with every kernel for AVX2 with FMA and for AVX-512. Run it with go
// generate ./cpu/internal/vec; its output depends only on its source.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// operations are the files, with the functions that emit their kernels.
var operations = []struct {
	name string
	emit func(l *isa)
}{
	{"add", add},
	{"affine", affine},
	{"avgpool", avgPool},
	{"batchnorm", batchNorm},
	{"bias", bias},
	{"compare", compare},
	{"copy", copyRows},
	{"lrn", lrn},
	{"maxpool", maxPool},
	{"normalize", normalize},
	{"optimizer", optimizer},
	{"probe", probe},
	{"relu", relu},
	{"scale", scale},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: vec FOLDER: writes the assembly into the folder of package vec")
		os.Exit(2)
	}
	for _, t := range operations {
		if err := write(filepath.Join(os.Args[1], t.name+"_amd64"), t.emit); err != nil {
			fmt.Fprintf(os.Stderr, "vec: %s: %v\n", t.name, err)
			os.Exit(1)
		}
	}
}

// write emits the kernels of one operation for both instruction sets into path.s and path.go.
func write(path string, emit func(l *isa)) error {
	ctx, data := build.NewContext(), map[string]operand.Mem{}
	for _, l := range []*isa{{name: "AVX2", width: 8}, {name: "AVX512", width: 16}} {
		l.Context, l.data = ctx, data
		emit(l)
	}
	file, err := ctx.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(file); err != nil {
		return err
	}
	config := printer.Config{Pkg: "vec", Argv: []string{"go", "generate", "./cpu/internal/vec"}}
	for suffix, p := range map[string]printer.Printer{".s": printer.NewGoAsm(config), ".go": printer.NewStubs(config)} {
		text, err := p.Print(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path+suffix, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
