//go:build cuda

package driver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tributary-ml/tributary/kernels"
)

// Library finds kernels. The cubin of a .cu file is loaded when a kernel of the file is first asked
// for.
type Library struct {
	device *Device
	cubins cubinSet

	mu        sync.Mutex
	modules   map[string]*Module   // by the source's name
	functions map[string]*Function // by the kernel's name
}

// NewLibrary returns the library of the kernels for a GPU. It fails if no kernels are built for the
// GPU.
func NewLibrary(d *Device) (*Library, error) {
	cubins, err := cubinsFor(d.Info)
	if err != nil {
		return nil, err
	}
	return newLibrary(d, cubins), nil
}

func newLibrary(d *Device, cubins cubinSet) *Library {
	return &Library{device: d, cubins: cubins, modules: map[string]*Module{}, functions: map[string]*Function{}}
}

// Function finds a kernel. If it is the first of its source, Function loads the cubin.
func (l *Library) Function(name string) (*Function, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.functions[name]; f != nil {
		return f, nil
	}
	k, ok := kernels.Find(name)
	if !ok {
		return nil, fmt.Errorf("cuda: there is no kernel %s", name)
	}
	m := l.modules[k.File]
	if m == nil {
		data, err := l.cubins.read(k.File)
		if err != nil {
			return nil, fmt.Errorf("cuda: %w", err)
		}
		if m, err = l.device.Load(fmt.Sprintf("%s, %s", k.File, l.cubins.name), data); err != nil {
			return nil, err
		}
		l.modules[k.File] = m
	}
	f, err := m.Function(name)
	if err != nil {
		return nil, err
	}
	l.functions[name] = f
	return f, nil
}

// CompilerLog joins what the driver's compiler said about the loaded modules.
func (l *Library) CompilerLog() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, source := range slices.Sorted(maps.Keys(l.modules)) {
		if log := l.modules[source].CompilerLog(); log != "" {
			fmt.Fprintf(&b, "%s:\n%s\n", source, log)
		}
	}
	return b.String()
}

// Close unloads the cubins.
func (l *Library) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all error
	for _, m := range l.modules {
		all = errors.Join(all, m.Close())
	}
	clear(l.modules)
	clear(l.functions)
	return all
}
