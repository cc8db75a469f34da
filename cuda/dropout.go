//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

func (b *binder) dropout(s *graph.DropoutStep) error {
	return b.launchOver("dropout", b.overElements(s.Y), kernels.DropoutParams{
		X: b.view(s.X), Y: b.view(s.Y), Run: b.run, Node: s.Key, Limit: uint32(s.P * (1 << 32)), Scale: float32(1 / (1 - s.P)),
		Rows: int32(s.Y.Rows()), Cols: int32(s.Y.Shape.C), Accumulate: flag(s.Accumulate)})
}
