//go:build cuda

package driver

import (
	"fmt"
	"strings"

	"github.com/tributary-ml/tributary/kernels"
	"github.com/tributary-ml/tributary/kernels/cubins"
)

// cubinSet is the set of cubins for a GPU, one for each .cu file.
type cubinSet struct {
	name string // for messages
	read func(source string) ([]byte, error)
}

// Emulated reports whether the GPU is the emulator.
func (i Info) Emulated() bool { return strings.HasPrefix(i.Name, "Emulated ") }

// cubinsFor selects the cubins for a GPU. The emulator has the kernels built in, and takes a cubin
// that says so. So kernels run on it before they are compiled for GPUs.
func cubinsFor(d Info) (cubinSet, error) {
	if d.Emulated() {
		return cubinSet{"the emulator's own", func(string) ([]byte, error) { return []byte("tributary emulated kernels"), nil }}, nil
	}
	a, err := kernels.ArchitectureFor(d.Major, d.Minor)
	if err != nil {
		return cubinSet{}, fmt.Errorf("cuda: %s: %w", d.Name, err)
	}
	return cubinsOf(a), nil
}

// cubinsOf returns the cubins for an architecture.
func cubinsOf(a kernels.Architecture) cubinSet {
	return cubinSet{a.String(), func(source string) ([]byte, error) { return cubins.Read(source, a) }}
}

// Kernels describes the kernels that a backend uses on the GPU, or says why there are none.
func (i Info) Kernels() string {
	s, err := cubinsFor(i)
	if err != nil {
		return "none: " + strings.TrimPrefix(err.Error(), "cuda: "+i.Name+": ")
	}
	return s.name
}
