package cpu

import (
	"fmt"

	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

// comparable returns the memory of a part that Copy and Compare take.
func (s *state[T]) comparable(p graph.Part) ([]T, error) {
	switch i := s.snapshotIndex(p); {
	case i >= 0:
		return s.copies[i], nil
	case p == graph.Value:
		return s.values, nil
	case p == graph.Gradient:
		return s.gradients, nil
	}
	return nil, fmt.Errorf("cpu: part %q is neither the values, the gradient nor one of the state's %d snapshots", p, len(s.copies))
}

func (s *state[T]) Copy(to, from graph.Part) error {
	src, err := s.comparable(from)
	if err != nil {
		return err
	}
	i := s.snapshotIndex(to)
	if i < 0 {
		return fmt.Errorf("cpu: copies go to snapshots, of which the state has %d, not to %q", len(s.copies), to)
	}
	s.copies[i] = s.copies[i][:len(src)]
	copy(s.copies[i], src)
	return nil
}

func (s *state[T]) Compare(a, b graph.Part) ([]graph.Comparison, error) {
	x, err := s.comparable(a)
	if err != nil {
		return nil, err
	}
	y, err := s.comparable(b)
	if err != nil {
		return nil, err
	}
	out := make([]graph.Comparison, len(s.layout.Params))
	work := pieces(s.layout.Params)
	index := map[*graph.Param]int{}
	for i, p := range s.layout.Params {
		index[p] = i
	}
	partial := make([]graph.Comparison, len(work))
	s.backend.pool.Run(len(work), func(task, _ int) {
		w := work[task]
		lo := s.layout.Offset(w.param) + w.lo
		hi := lo + w.hi - w.lo
		if hi > len(x) || hi > len(y) {
			return
		}
		c := &partial[task]
		c.Dot, c.Squares, c.Apart = vec.Compare(x[lo:hi], y[lo:hi])
	})
	for i, c := range partial {
		o := &out[index[work[i].param]]
		o.Dot, o.Squares, o.Apart = o.Dot+c.Dot, o.Squares+c.Squares, o.Apart+c.Apart
	}
	return out, nil
}
