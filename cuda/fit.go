//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
)

// Memory implements graph.Backend. It does not count what the driver takes for itself, such as the
// nodes of a captured graph.
func (b *Backend) Memory(l *graph.Layout, o graph.StateOptions, plans ...*graph.Plan) (needs, free int64, err error) {
	_, sizes := b.stateSizes(l, o)
	needs = driver.ArenaBytes(sizes...)
	s := &state{backend: b, layout: l, ema: o.EMA, operands: map[graph.Part]*operand{graph.Value: {}}}
	var scratch scratchSizes
	for _, p := range plans {
		n, err := s.programBytes(p)
		if err != nil {
			return 0, 0, err
		}
		needs += n
		scratch = scratch.with(p)
	}
	needs += driver.ArenaBytes(scratch[:]...)
	free, _, err = b.device.FreeMemory()
	return needs, free, err
}

// fits returns a *graph.MemoryError if a program of the plan does not fit the free memory.
func (s *state) fits(p *graph.Plan) error {
	return graph.FitPlan(s.backend.Name(), p, func(q *graph.Plan) (needs, free int64, err error) {
		if needs, err = s.programBytes(q); err != nil {
			return 0, 0, err
		}
		have, want := s.scratch.sizes, s.scratch.sizes.with(q)
		needs += driver.ArenaBytes(want[:]...) - driver.ArenaBytes(have[:]...)
		free, _, err = s.backend.device.FreeMemory()
		return needs, free, err
	})
}

// programBytes returns the device memory of a program of a plan, without the scratch memory that it
// shares with other programs. It counts the transfers, the memory through which launches pass data
// to each other, and the tables of every transfer, once for the values and once for the averages.
func (s *state) programBytes(p *graph.Plan) (int64, error) {
	n := s.backend.streams()
	b := &binder{state: s, plan: p, values: s.operands[graph.Value], schedule: p.AssignStreams(n), streams: make([]streamMemory, n), counting: true}
	if err := b.bind(); err != nil {
		return 0, err
	}
	var between []int64
	for _, r := range b.regions() {
		between = append(between, r.needed)
	}
	tables := int64(len(program{}.transfers)) * driver.ArenaBytes(b.tables.needed)
	if s.ema {
		tables *= 2
	}
	return int64(len(program{}.transfers))*driver.ArenaBytes(transferSizes(p)...) + driver.ArenaBytes(between...) + tables, nil
}
