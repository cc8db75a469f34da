package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
)

func (b *binder[T]) normalize(s *graph.NormalizeStep) func(*run) {
	f := b.normalizer(s.Normalization, b.mat(s.Y))
	rows := s.Y.Rows()
	return func(r *run) {
		b.parallelRows(rows, s.Y.Shape.C, func(lo, hi int) { f(r.feed.Pixels, lo, hi) })
	}
}

// normalizer returns a function that normalises rows [lo,hi) of pixels without gaps.
func (b *binder[T]) normalizer(z graph.Normalization, y vec.Mat[T]) func(pixels []byte, lo, hi int) {
	scale, shift := make([]T, y.Cols), make([]T, y.Cols)
	for c := range scale {
		scale[c] = T(1 / (255 * float64(z.Std[c])))
		shift[c] = T(-float64(z.Mean[c]) / float64(z.Std[c]))
	}
	return func(pixels []byte, lo, hi int) {
		vec.Normalize(y.Data[lo*y.Cols:], pixels[lo*y.Cols:], hi-lo, y.Cols, scale, shift)
	}
}
