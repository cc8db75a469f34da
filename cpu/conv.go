package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/conv"
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

// segment is conv.Segment for either element type.
type segment[T vec.Float] struct {
	k            int
	w            []T
	y            []T
	ldy          int
	scale, shift []T
	relu         bool
	sums         []float64
	dw, dbias    []T
}

// convolver computes convolutions of one element type.
type convolver[T vec.Float] interface {
	forward(g conv.Geometry, x []T, ldx int, segs []segment[T])
	backwardData(g conv.Geometry, segs []segment[T], dx []T, lddx int, accumulate bool)
	backwardFilter(g conv.Geometry, x []T, ldx int, segs []segment[T], accumulate bool)
}

// engineConv is the fast float32 path.
type engineConv struct{ engine *conv.Engine }

func engineSegments(segs []segment[float32]) []conv.Segment {
	out := make([]conv.Segment, len(segs))
	for i, s := range segs {
		out[i] = conv.Segment{K: s.k, W: s.w, Y: s.y, LdY: s.ldy, Scale: s.scale, Shift: s.shift, ReLU: s.relu, Sums: s.sums, DW: s.dw, DBias: s.dbias}
	}
	return out
}

func (e engineConv) forward(g conv.Geometry, x []float32, ldx int, segs []segment[float32]) {
	e.engine.Forward(g, x, ldx, engineSegments(segs))
}

func (e engineConv) backwardData(g conv.Geometry, segs []segment[float32], dx []float32, lddx int, accumulate bool) {
	e.engine.BackwardData(g, engineSegments(segs), dx, lddx, accumulate)
}

func (e engineConv) backwardFilter(g conv.Geometry, x []float32, ldx int, segs []segment[float32], accumulate bool) {
	e.engine.BackwardFilter(g, x, ldx, engineSegments(segs), accumulate)
}

func geometry(g graph.ConvGeometry) conv.Geometry {
	return conv.Geometry{N: g.N, H: g.In.H, W: g.In.W, C: g.In.C, R: g.Win.H, S: g.Win.W, StrideH: g.Win.StrideH, StrideW: g.Win.StrideW,
		PadTop: g.Win.Top, PadLeft: g.Win.Left, P: g.Out.H, Q: g.Out.W}
}

func (b *binder[T]) segments(list []graph.ConvSegment) []segment[T] {
	var out []segment[T]
	for _, s := range list {
		y := b.mat(s.Y)
		g := segment[T]{k: s.Y.Shape.C, w: b.param(s.Weight), y: y.Data, ldy: y.Stride, relu: s.ReLU,
			scale: b.vector(s.Scale), shift: b.vector(s.Shift), sums: b.doubles(s.Sums), dw: b.gradient(s.Weight), dbias: b.gradient(s.BiasGradient)}
		if s.Bias != nil {
			g.shift = b.param(s.Bias)
		}
		out = append(out, g)
	}
	return out
}

func (b *binder[T]) convForward(s *graph.ConvForward) func(*run) {
	g, x, segs, c := geometry(s.ConvGeometry), b.mat(s.X), b.segments(s.Segments), b.state.backend.conv
	return func(*run) { c.forward(g, x.Data, x.Stride, segs) }
}

func (b *binder[T]) convBackwardData(s *graph.ConvBackwardData) func(*run) {
	g, dx, segs, c := geometry(s.ConvGeometry), b.mat(s.DX), b.segments(s.Segments), b.state.backend.conv
	return func(*run) { c.backwardData(g, segs, dx.Data, dx.Stride, s.Accumulate) }
}

func (b *binder[T]) convBackwardFilter(s *graph.ConvBackwardFilter) func(*run) {
	g, x, segs, c := geometry(s.ConvGeometry), b.mat(s.X), b.segments(s.Segments), b.state.backend.conv
	return func(r *run) { c.backwardFilter(g, x.Data, x.Stride, segs, s.Accumulate || r.feed.Accumulate) }
}
