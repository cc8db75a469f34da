//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// Options select the GPU and how the backend uses it. The zero value means float32 on the first
// GPU.
type Options struct {
	Device    int             // index of the GPU (Devices)
	Precision graph.Precision // FP32 (default), TF32 or BF16
	Debug     Debug
}

// Debug has switches for tests and benchmarks. Everything else uses the zero value.
type Debug struct {
	// Isolated gives every buffer of a plan an allocation of its own, so that the emulator and
	// compute-sanitizer detect a kernel that runs past a buffer's end. The plan then takes the
	// memory that it would take if buffers shared none.
	Isolated bool
	// NoWgmma multiplies bfloat16 by warps, as GPUs before sm_90 do, where warpgroups could
	// (Info.Warpgroups).
	NoWgmma bool
	// Serial runs the steps of a plan one after another. By default, branches and heads run side by
	// side.
	Serial bool
}

// Backend runs plans on a GPU.
type Backend struct {
	options Options
	device  *driver.Device
	library *driver.Library
}

var _ graph.Backend = (*Backend)(nil)

// New opens a GPU. It fails if no kernels are built for the GPU. A kernel is loaded with the first
// plan that needs it.
func New(o Options) (*Backend, error) {
	if o.Precision == "" {
		o.Precision = graph.FP32
	}
	if !slices.Contains([]graph.Precision{graph.FP32, graph.TF32, graph.BF16}, o.Precision) {
		return nil, &graph.UnknownError{What: "precision of the CUDA backend", Name: string(o.Precision),
			Nearest: []string{string(graph.FP32), string(graph.TF32), string(graph.BF16)}}
	}
	d, err := driver.Open(o.Device)
	if err != nil {
		return nil, err
	}
	l, err := driver.NewLibrary(d)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &Backend{options: o, device: d, library: l}, nil
}

// Name implements graph.Backend.
func (b *Backend) Name() string { return b.device.Info.String() }

// Target implements graph.Backend.
func (b *Backend) Target() graph.Target {
	t := graph.Target{Precision: b.options.Precision, Fusions: graph.AllFusions, PadInput: true, Augments: true}
	if b.streams() > 1 {
		t.ReuseDistance = 8
	}
	return t
}

// activation returns the element type of activations and their gradients.
func (b *Backend) activation() graph.Elem {
	if b.options.Precision == graph.BF16 {
		return graph.BFloat16
	}
	return graph.Float
}

// convVariant returns the arithmetic by which convolutions multiply.
func (b *Backend) convVariant() kernels.ConvVariant {
	switch b.options.Precision {
	case graph.TF32:
		return kernels.ConvTF32
	case graph.BF16:
		if b.device.Warpgroups() && !b.options.Debug.NoWgmma {
			return kernels.ConvWgmma
		}
		return kernels.ConvBF16
	}
	return kernels.ConvF32
}

// Close implements graph.Backend. Close states and programs first.
func (b *Backend) Close() error { return errors.Join(b.library.Close(), b.device.Close()) }

// CompilerLog returns what the driver's compiler said about the kernels loaded so far
// (Module.CompilerLog), grouped by source.
func (b *Backend) CompilerLog() string { return b.library.CompilerLog() }

// Load implements graph.Backend. Its error names every step that no kernel runs.
func (b *Backend) Load(p *graph.Plan, s graph.State) (graph.Program, error) {
	st, ok := s.(*state)
	if !ok || st.backend != b {
		return nil, errors.New("cuda: the state is of another backend")
	}
	if st.layout != p.Layout {
		return nil, errors.New("cuda: the plan's layout is not the state's")
	}
	if err := b.Target().Check(p); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	if o := p.Options.Optimizer; o != nil {
		if st.slots < o.Slots() {
			return nil, fmt.Errorf("cuda: optimizer %s keeps %d slots a parameter, the state has %d", o.Rule, o.Slots(), st.slots)
		}
		if o.EMA && !st.ema {
			return nil, errors.New("cuda: the optimizer keeps moving averages, the state has none")
		}
	}
	var missing []string
	for _, step := range p.Steps {
		if binding(step) == nil {
			missing = append(missing, fmt.Sprintf("%s of node %s%s", step.Kind(), step.NodeName(), limit(step)))
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("cuda: no kernel runs %s: use the CPU backend", strings.Join(missing, ", "))
	}
	if err := st.fits(p); err != nil {
		return nil, err
	}
	pr, err := newProgram(st, p)
	if err != nil { // not return newProgram(st, p): a nil *program in a graph.Program is not nil
		return nil, err
	}
	return pr, nil
}
