//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

func (b *binder) convert(s *graph.Convert) error {
	return b.launchOver("convert", b.overElements(s.Y), kernels.ConvertParams{
		X: b.vector(s.X), Y: b.view(s.Y), Rows: int32(s.Y.Rows()), Channels: int32(s.X.Shape.C), Padded: int32(s.Y.Shape.C + s.Y.Zeros)})
}
