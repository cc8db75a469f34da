//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

func (b *binder) scale(s *graph.ScaleStep) error { return b.scaled(s.X, s.Y, s.Factor, s.Accumulate) }

// scaled launches y = factor·x, or y += factor·x.
func (b *binder) scaled(x, y graph.View, factor float64, accumulate bool) error {
	return b.launchOver("scale", b.overElements(y), kernels.ScaleParams{
		X: b.view(x), Y: b.view(y), Rows: int32(y.Rows()), Cols: int32(y.Shape.C), Factor: float32(factor), Accumulate: flag(accumulate)})
}
