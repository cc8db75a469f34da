package cpu

import (
	"fmt"
	"slices"

	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
	"gorgonia.org/tensor"
)

// state holds the flat arenas: the values and averages of all parameters, and the gradients and
// slots of trained parameters.
type state[T vec.Float] struct {
	backend   *backend[T]
	layout    *graph.Layout
	values    []T
	gradients []T
	average   []T
	slots     [][]T
	copies    [][]T // snapshots; each is as long as the part last copied to it
	scratch   scratch[T]
}

// slotParts are the parts for optimizer slots.
var slotParts = []graph.Part{graph.Slot0, graph.Slot1}

func (b *backend[T]) NewState(l *graph.Layout, o graph.StateOptions) (graph.State, error) {
	if o.Slots < 0 || o.Slots > len(slotParts) {
		return nil, fmt.Errorf("cpu: %d optimizer slots: 0 to %d", o.Slots, len(slotParts))
	}
	needs, free, err := b.Memory(l, o)
	if err != nil {
		return nil, err
	}
	if needs > free {
		return nil, &graph.MemoryError{Network: l.Graph.Name(), Device: b.name, Needs: needs, Free: free}
	}
	s := &state[T]{backend: b, layout: l, values: alignedSlice[T](l.Elements), gradients: alignedSlice[T](l.Trained)}
	if o.EMA {
		s.average = alignedSlice[T](l.Elements)
	}
	for range o.Slots {
		s.slots = append(s.slots, alignedSlice[T](l.Trained))
	}
	for range o.Snapshots {
		s.copies = append(s.copies, alignedSlice[T](l.Elements)[:0])
	}
	return s, nil
}

func (s *state[T]) Layout() *graph.Layout { return s.layout }
func (s *state[T]) Close() error          { return nil }

func (s *state[T]) Parts() []graph.Part {
	parts := []graph.Part{graph.Value, graph.Gradient}
	if s.average != nil {
		parts = append(parts, graph.Average)
	}
	return append(parts, slotParts[:len(s.slots)]...)
}

// snapshotIndex returns the index of a snapshot, or -1 for another part.
func (s *state[T]) snapshotIndex(p graph.Part) int {
	for i := range s.copies {
		if p == graph.Snapshot(i) {
			return i
		}
	}
	return -1
}

// slice returns the memory of one part of a parameter.
func (s *state[T]) slice(part graph.Part, p *graph.Param) ([]T, error) {
	var arena []T
	switch part {
	case graph.Value:
		arena = s.values
	case graph.Gradient:
		arena = s.gradients
	case graph.Average:
		arena = s.average
	}
	if i := slices.Index(slotParts[:len(s.slots)], part); i >= 0 {
		arena = s.slots[i]
	}
	if arena == nil {
		return nil, fmt.Errorf("cpu: the state keeps no part %q, only %v", part, s.Parts())
	}
	if !slices.Contains(s.layout.Params, p) {
		return nil, fmt.Errorf("cpu: parameter %q is not of this state's network", p.Name)
	}
	from := s.layout.Offset(p)
	if len(arena) < s.layout.Elements && !s.layout.IsTrained(p) {
		return nil, fmt.Errorf("cpu: parameter %q is not trained: it has no part %q", p.Name, part)
	}
	return arena[from:][:p.Elements():p.Elements()], nil
}

func (s *state[T]) Get(part graph.Part, p *graph.Param) (*tensor.Dense, error) {
	v, err := s.slice(part, p)
	if err != nil {
		return nil, err
	}
	return tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(slices.Clone(v))), nil
}

func (s *state[T]) Set(part graph.Part, p *graph.Param, v *tensor.Dense) error {
	dst, err := s.slice(part, p)
	if err != nil {
		return err
	}
	if !slices.Equal([]int(v.Shape()), p.Dims) {
		return fmt.Errorf("cpu: parameter %q has dimensions %v, the tensor %v", p.Name, p.Dims, v.Shape())
	}
	if !v.IsNativelyAccessible() || v.RequiresIterator() {
		return fmt.Errorf("cpu: the tensor for parameter %q is a view: clone it first", p.Name)
	}
	switch data := v.Data().(type) {
	case []float32:
		convert(dst, data)
	case []float64:
		convert(dst, data)
	case float32: // tensor returns a scalar for one element
		dst[0] = T(data)
	case float64:
		dst[0] = T(data)
	default:
		return fmt.Errorf("cpu: parameter %q takes float32 or float64, not %v", p.Name, v.Dtype())
	}
	return nil
}

func convert[D, S vec.Float](dst []D, src []S) {
	if same, ok := any(dst).([]S); ok {
		copy(same, src)
		return
	}
	for i, v := range src {
		dst[i] = D(v)
	}
}
