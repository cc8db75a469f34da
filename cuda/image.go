//go:build cuda

package cuda

import (
	"fmt"
	"strings"

	"github.com/tributary-ml/tributary/kernels"
	"github.com/tributary-ml/tributary/kernels/images"
)

// imageSet is the images that a GPU takes, one for each .cu file.
type imageSet struct {
	name string // for people
	read func(source string) ([]byte, error)
}

// emulated says that the GPU is the emulator.
func (i Info) emulated() bool { return strings.HasPrefix(i.Name, "Emulated ") }

// imagesFor chooses the images for a GPU. The emulator has its kernels in itself, and an image that says so: kernels run on it before
// they are compiled for GPUs.
func imagesFor(d Info) (imageSet, error) {
	if d.emulated() {
		return imageSet{"the emulator's own", func(string) ([]byte, error) { return []byte("tributary emulated kernels"), nil }}, nil
	}
	a, err := kernels.ArchitectureFor(d.Major, d.Minor)
	if err != nil {
		return imageSet{}, fmt.Errorf("cuda: %s: %w", d.Name, err)
	}
	return imagesOf(a), nil
}

// imagesOf is the images for an architecture.
func imagesOf(a kernels.Architecture) imageSet {
	return imageSet{a.String(), func(source string) ([]byte, error) { return images.Read(source, a) }}
}

// Kernels says which kernels a backend uses on the GPU, or why it has none.
func (i Info) Kernels() string {
	s, err := imagesFor(i)
	if err != nil {
		return "none: " + strings.TrimPrefix(err.Error(), "cuda: "+i.Name+": ")
	}
	return s.name
}
