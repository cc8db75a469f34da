package cpu

import (
	"github.com/tributary-ml/tributary/augment"
	"github.com/tributary-ml/tributary/graph"
)

// augment makes the images in parallel.
func (b *binder[T]) augment(s *graph.AugmentStep) func(*run) {
	f, pixels, in := b.normalizer(s.Normalization, b.mat(s.Y)), b.bytes(s.Pixels).Data, s.Y.Shape
	resamplers := make([]augment.Resampler, b.pool.Workers())
	return func(r *run) {
		b.pool.Run(s.Y.N, func(i, worker int) {
			n := in.Elements()
			resamplers[worker].Render(pixels[i*n:][:n], in.H, in.W, in.C, &r.feed.Recipes[i], r.feed.Regions)
			f(pixels, i*in.Pixels(), (i+1)*in.Pixels())
		})
	}
}
