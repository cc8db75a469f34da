package dataset

import (
	"math/rand/v2"

	"github.com/tributary-ml/tributary/augment"
)

// Transform changes the pixels or the size of an image, or both. A transform holds only settings,
// so that several goroutines can share it.
type Transform interface {
	// OutSize returns the height and width of the image that Apply makes of one of h×w pixels. In
	// arguments and results, 0 stands for a size that varies. The error says which setting cannot
	// work.
	OutSize(h, w int) (oh, ow int, err error)

	// Apply changes p's image. All its random choices come from r.
	Apply(p *Work, r *rand.Rand)
}

// Pipeline is a transform that applies others in order. An empty pipeline leaves images unchanged.
type Pipeline []Transform

// OutSize passes h×w through all transforms.
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

// Work is an image on its way through a pipeline, together with memory for the next image. The zero
// value is ready for use. It belongs to one goroutine.
type Work struct {
	Image *Image // the current image

	buffers  [2]Image
	resample augment.Resampler
}

// Load sets p's image to a buffer for a source to decode into, and returns it.
func (p *Work) Load() *Image {
	p.Image = &p.buffers[0]
	return p.Image
}

// Next returns another image of h×w pixels with the channels of p's image and undefined content.
// Once it is filled, assign it to p.Image.
func (p *Work) Next(h, w int) *Image {
	next := &p.buffers[0]
	if p.Image == next {
		next = &p.buffers[1]
	}
	next.Reshape(h, w, p.Image.C)
	return next
}

// keptPixels is the maximum size of an image, in bytes, whose memory is kept for the next one: 5
// megapixels of colour.
const keptPixels = 16 << 20

// shrink releases the memory of large images.
func (p *Work) shrink() {
	for i := range p.buffers {
		if cap(p.buffers[i].Pix) > keptPixels {
			p.buffers[i].Pix = nil
		}
	}
}
