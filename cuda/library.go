//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tributary-ml/tributary/kernels"
)

// library finds kernels. The image of a .cu file is loaded when one of its kernels is first asked for.
type library struct {
	device *Device
	images imageSet

	mu        sync.Mutex
	modules   map[string]*Module   // by the source's name
	functions map[string]*Function // by the kernel's name
}

func newLibrary(d *Device, images imageSet) *library {
	return &library{device: d, images: images, modules: map[string]*Module{}, functions: map[string]*Function{}}
}

// function finds a kernel.
func (l *library) function(name string) (*Function, error) {
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
		data, err := l.images.read(k.File)
		if err != nil {
			return nil, fmt.Errorf("cuda: %w", err)
		}
		if m, err = l.device.Load(fmt.Sprintf("%s, %s", k.File, l.images.name), data); err != nil {
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

// compilerLog joins the logs of the modules.
func (l *library) compilerLog() string {
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

// Close unloads the images.
func (l *library) Close() error {
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
