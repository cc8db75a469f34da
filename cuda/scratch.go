//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"sort"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

// scratch is the memory of the plans' arenas, shared by all plans of a state.
type scratch struct {
	memory  *Arena
	elems   [len(graph.Plan{}.Arena)]int64 // bytes of the arena of each element type
	version int                            // changes when memory has moved
}

// reserve makes the memory large enough for a plan.
func (s *state) reserve(p *graph.Plan) error {
	want := s.scratch.elems
	for e, n := range p.Arena {
		want[e] = max(want[e], int64(n)*int64(graph.Elem(e).Size()))
	}
	if want == s.scratch.elems {
		return nil
	}
	if s.scratch.memory != nil {
		if err := s.compute.Synchronize(); err != nil { // plans under way use it
			return err
		}
		if err := s.scratch.memory.Close(); err != nil {
			return err
		}
		s.scratch = scratch{version: s.scratch.version}
	}
	m, err := s.backend.device.NewArena(want[:], false)
	if errors.Is(err, OutOfMemory) {
		err = fmt.Errorf("%w; %s", err, s.advise(p))
	}
	if err != nil {
		return fmt.Errorf("cuda: activations and gradients of a batch of %d: %w", p.Options.Batch, err)
	}
	s.scratch = scratch{memory: m, elems: want, version: s.scratch.version + 1}
	return nil
}

// advise finds the largest batch of a plan that would fit.
func (s *state) advise(p *graph.Plan) string {
	free, _, err := s.backend.device.FreeMemory()
	if err != nil {
		return err.Error()
	}
	o := p.Options
	fits := sort.Search(o.Batch, func(n int) bool {
		o.Batch = n + 1
		q, err := graph.Compile(p.Graph, p.Layout, o)
		return err == nil && q.ArenaBytes() > free
	})
	if fits == 0 {
		return "not even a batch of 1 fits"
	}
	return fmt.Sprintf("the largest batch that fits is %d", fits)
}

// locate says where the buffers of a plan lie.
func (s *state) locate(p *graph.Plan) map[*graph.Buffer]kernels.DevicePtr {
	at := map[*graph.Buffer]kernels.DevicePtr{}
	for _, b := range p.Buffers {
		if !b.External {
			at[b] = s.scratch.memory.Span(int(b.Elem)).Address + kernels.DevicePtr(b.Offset*b.Elem.Size())
		}
	}
	return at
}

// isolate gives every buffer of a plan memory of its own.
func (b *Backend) isolate(p *graph.Plan) (map[*graph.Buffer]kernels.DevicePtr, *Arena, error) {
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
