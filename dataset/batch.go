package dataset

import (
	"sync"

	"github.com/tributary-ml/tributary/augment"
)

// Ignored is the label of a row without an image. Such a row counts neither in the loss nor in the
// accuracy.
const Ignored = -1

// Batch is N rows with images of one size and their labels.
type Batch struct {
	Pixels []byte  // (N, H, W, C); nil if the loader defers
	Labels []int32 // (N); Ignored from Rows on

	// Regions and Recipes are set if the loader defers. Regions has the pixels that each row's
	// image needs, and Recipes says how the image is made from them. The place of a region in
	// Regions may vary from run to run; the images do not.
	Regions []byte
	Recipes []augment.Recipe // (N)

	// Rows is the number of images. The rows [Rows, N) are black and Ignored. Rows is less than N
	// in the last batch of an evaluation, and if images were skipped.
	Rows int

	N, H, W, C   int
	Epoch, Index int // the epoch, and the index of the batch in it

	// Skipped has an error for each image that could not be decoded, in the images' order, if the
	// loader skips them. SkippedImages are their indices in the source.
	Skipped       []error
	SkippedImages []int

	home *batchPool // where Release returns the memory; nil after that
}

// Release gives the batch's memory back to its loader for a later batch. The batch must not be used
// afterwards. The garbage collector frees a batch that is never released.
func (b *Batch) Release() {
	if home := b.home; home != nil {
		home.put(batchMemory{b.Pixels, b.Regions, b.Labels, b.Recipes})
		b.home, b.Pixels, b.Regions, b.Labels, b.Recipes = nil, nil, nil, nil, nil
	}
}

// batchPool keeps the memory of released batches of one shape.
type batchPool struct {
	n, h, w, c int
	regions    int // bytes of regions in a deferred batch, otherwise 0
	keep       int // maximum number of batches whose memory is kept

	mu   sync.Mutex
	free []batchMemory
}

type batchMemory struct {
	images, regions []byte
	labels          []int32
	recipes         []augment.Recipe
}

// get returns a batch with undefined content. The Batch itself is always new, so that a second
// Release of an old one does no harm.
func (p *batchPool) get() *Batch {
	m := p.memory()
	return &Batch{N: p.n, H: p.h, W: p.w, C: p.c, Pixels: m.images, Labels: m.labels, Regions: m.regions, Recipes: m.recipes, home: p}
}

func (p *batchPool) memory() batchMemory {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.free) - 1; last >= 0 {
		m := p.free[last]
		p.free = p.free[:last]
		return m
	}
	m := batchMemory{labels: make([]int32, p.n)}
	if p.regions > 0 {
		m.regions, m.recipes = make([]byte, p.regions), make([]augment.Recipe, p.n)
	} else {
		m.images = make([]byte, p.n*p.h*p.w*p.c)
	}
	return m
}

func (p *batchPool) put(m batchMemory) {
	m.regions = m.regions[:cap(m.regions)]
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < p.keep {
		p.free = append(p.free, m)
	}
}
