//go:build cuda

package cuda

import (
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/kernels"
)

func (b *binder) addForward(s *graph.AddForward) error {
	p := kernels.AddParams{Y: b.view(s.Y), Count: int32(len(s.Xs)), Rows: int32(s.Y.Rows()), Cols: int32(s.Y.Shape.C), ReLU: flag(s.ReLU)}
	for i, x := range s.Xs {
		p.Xs[i], p.Factors[i] = b.view(x.X), float32(x.Factor)
	}
	return b.launchOver("add", b.overElements(s.Y), p)
}

func (b *binder) addBackward(s *graph.AddBackward) error {
	p := kernels.AddBackwardParams{Y: b.view(s.Y), DY: b.view(s.DY), Count: int32(len(s.Targets)), Rows: int32(s.DY.Rows()), Cols: int32(s.DY.Shape.C)}
	for i, t := range s.Targets {
		p.Dxs[i], p.Factors[i], p.Accumulate[i] = b.view(t.DX), float32(t.Factor), flag(t.Accumulate)
	}
	return b.launchOver("add_backward", b.overElements(s.DY), p)
}
