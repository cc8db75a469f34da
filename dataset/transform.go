package dataset

import (
	"math/rand/v2"

	"github.com/tributary-ml/tributary/augment"
)

// Transform changes one image: its pixels, its size, or both. A transform holds
// only its settings, so that several goroutines can share it.
type Transform interface {
	// OutSize is the height and the width that Apply makes of an image of h×w
	// pixels. 0 stands for a size that varies, in arguments and results. The
	// error says which setting cannot work.
	OutSize(h, w int) (oh, ow int, err error)

	// Apply changes p's image. All its random choices come from r.
	Apply(p *Work, r *rand.Rand)
}

// Pipeline is a transform that applies others in order. An empty one leaves
// images as they are.
type Pipeline []Transform

// OutSize runs h×w through all transforms.
func (t Pipeline) OutSize(h, w int) (int, int, error) {
	for _, step := range t {
		var err error
		if h, w, err = step.OutSize(h, w); err != nil {
			return 0, 0, err
		}
	}
	return h, w, nil
}

// Apply applies all transforms.
func (t Pipeline) Apply(p *Work, r *rand.Rand) {
	for _, step := range t {
		step.Apply(p, r)
	}
}

// Work is an image on its way through a pipeline, together with memory for the
// next one. The zero value is ready for use; one goroutine owns it.
type Work struct {
	Image *Image // the image so far

	buffers  [2]Image
	resample augment.Resampler
}

// Load gives p's image the buffer that a source decodes into.
func (p *Work) Load() *Image {
	p.Image = &p.buffers[0]
	return p.Image
}

// Next returns another image of h×w pixels and as many channels as p's, of
// undefined content. Once it is filled, assign it to p.Image.
func (p *Work) Next(h, w int) *Image {
	next := &p.buffers[0]
	if p.Image == next {
		next = &p.buffers[1]
	}
	next.Reshape(h, w, p.Image.C)
	return next
}

// keptPixels is the largest image whose memory is kept for the next one: one of
// 5 megapixels.
const keptPixels = 16 << 20

// shrink lets go of the memory of large images.
func (p *Work) shrink() {
	for i := range p.buffers {
		if cap(p.buffers[i].Pix) > keptPixels {
			p.buffers[i].Pix = nil
		}
	}
}
