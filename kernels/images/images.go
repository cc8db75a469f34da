// Package images has the kernels as GPUs take them. Each .cu file has an archive with an image for each of kernels.Architectures.
//
// make images writes the archives, with resources.txt, which says what each kernel takes of a multiprocessor, and manifest.txt, by
// which a test finds archives that are older than their sources. Only package cuda imports this package: the program for the CPU
// carries no images.
package images

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

// Read returns the image of a source, such as "add.cu", for an architecture.
func Read(source string, a kernels.Architecture) ([]byte, error) {
	image, err := read(strings.TrimSuffix(source, ".cu")+".zip", a.Name+a.Extension())
	if err != nil {
		return nil, fmt.Errorf("no image of %s for %s: %w (make images builds it)", source, a.Name, err)
	}
	return image, nil
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
