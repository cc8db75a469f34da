// Package cubins has the kernels as GPUs take them. Each .cu file has an archive with a cubin for
// each of kernels.Architectures.
//
// make cubins writes the archives, with resources.txt, which says what each kernel takes of a
// multiprocessor, and manifest.txt, by which a test finds archives that are older than their
// sources. Only package cuda imports this package: the program for the CPU carries no cubins.
package cubins

import (
	"archive/zip"
	"bytes"
	"embed"
	"fmt"
	"io"
	"strings"

	"github.com/tributary-ml/tributary/kernels"
)

//go:embed *.zip
var archives embed.FS

// Read returns the cubin of a source, such as "add.cu", for an architecture.
func Read(source string, a kernels.Architecture) ([]byte, error) {
	cubin, err := read(strings.TrimSuffix(source, ".cu")+".zip", a.Name+a.Extension())
	if err != nil {
		return nil, fmt.Errorf("no cubin of %s for %s: %w (make cubins builds it)", source, a.Name, err)
	}
	return cubin, nil
}

func read(archive, name string) ([]byte, error) {
	data, err := archives.ReadFile(archive)
	if err != nil {
		return nil, err
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	f, err := r.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
