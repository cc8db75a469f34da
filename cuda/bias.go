//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

func (b *binder) biasBackward(s *graph.BiasBackward) error {
	grid, partial, counters := b.reduction(s.DY, 1)
	return b.launchOver("bias_backward", grid, kernels.BiasBackwardParams{
		DY: b.view(s.DY), DB: b.gradient(s.Bias), Partial: partial, Counters: counters, Run: b.run,
		Rows: int32(s.DY.Rows()), Cols: int32(s.DY.Shape.C), Accumulate: flag(s.Accumulate)})
}
