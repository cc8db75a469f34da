//go:build cuda

package cuda

import (
	"fmt"

	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// scratch is the memory of the plans' arenas. All plans of a state share it.
type scratch struct {
	memory  *driver.Arena
	sizes   scratchSizes
	version int // changes when the memory moves
}

// scratchSizes are the sizes in bytes of the arenas, by element type.
type scratchSizes [len(graph.Plan{}.Arena)]int64

// with returns the smallest sizes that are enough for s and for the plan.
func (s scratchSizes) with(p *graph.Plan) scratchSizes {
	for e, n := range p.Arena {
		s[e] = max(s[e], int64(n)*int64(graph.Elem(e).Size()))
	}
	return s
}

// reserve makes the memory large enough for a plan. This may move it.
func (s *state) reserve(p *graph.Plan) error {
	want := s.scratch.sizes.with(p)
	if want == s.scratch.sizes {
		return nil
	}
	if s.scratch.memory != nil {
		if err := s.compute.Synchronize(); err != nil { // running plans use it
			return err
		}
		if err := s.scratch.memory.Close(); err != nil {
			return err
		}
		s.scratch = scratch{version: s.scratch.version}
	}
	m, err := s.backend.device.NewArena(want[:], false)
	if err != nil {
		return fmt.Errorf("cuda: activations and gradients of a batch of %d: %w", p.Options.Batch, err)
	}
	s.scratch = scratch{memory: m, sizes: want, version: s.scratch.version + 1}
	return nil
}

// locate returns the addresses of a plan's internal buffers.
func (s *state) locate(p *graph.Plan) map[*graph.Buffer]kernels.DevicePtr {
	at := map[*graph.Buffer]kernels.DevicePtr{}
	for _, b := range p.Buffers {
		if !b.External {
			at[b] = s.scratch.memory.Span(int(b.Elem)).Address + kernels.DevicePtr(b.Offset*b.Elem.Size())
		}
	}
	return at
}

// isolate gives every internal buffer of a plan memory of its own.
func (b *Backend) isolate(p *graph.Plan) (map[*graph.Buffer]kernels.DevicePtr, *driver.Arena, error) {
	var sizes []int64
	var buffers []*graph.Buffer
	for _, f := range p.Buffers {
		if !f.External {
			buffers = append(buffers, f)
			sizes = append(sizes, int64(f.Elements*f.Elem.Size()))
		}
	}
	m, err := b.device.NewArena(sizes, true)
	if err != nil {
		return nil, nil, err
	}
	at := map[*graph.Buffer]kernels.DevicePtr{}
	for i, f := range buffers {
		at[f] = m.Span(i).Address
	}
	return at, m, nil
}
