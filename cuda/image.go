//go:build cuda

package cuda

import (
	"fmt"
	"strings"
)

// image is kernels for one kind of GPU.
type image struct {
	name string
	data []byte
}

// emulated says that the GPU is the emulator.
func (i Info) emulated() bool { return strings.HasPrefix(i.Name, "Emulated ") }

// imageFor chooses the image for a GPU. The emulator has its kernels in itself, and an image that says so.
func imageFor(d Info) (image, error) {
	if d.emulated() {
		return image{"emulated", []byte("tributary emulated kernels")}, nil
	}
	return image{}, fmt.Errorf("cuda: this program has no kernels for %s (%s)", d.Arch(), d.Name)
}
