//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

func (b *binder) probe(s *graph.ProbeStep) error {
	grid, partial, counters := b.reduction(s.X, 2)
	return b.launchOver("probe", grid, kernels.ProbeParams{
		X: b.view(s.X), Y: b.vector(s.Y), Partial: partial, Counters: counters, Rows: int32(s.X.Rows()), Cols: int32(s.X.Shape.C)})
}
