package dataset

import (
	"sync"

	"github.com/tributary-ml/tributary/augment"
)

// Ignored is the label of a row that holds no image: it counts neither in the
// loss nor in accuracy.
const Ignored = -1

// Batch is N images of one size and their labels.
type Batch struct {
	Pixels []byte  // (N, H, W, C); nil of a loader that defers
	Labels []int32 // (N); Ignored from Rows on

	// Regions and Recipes are what the images of a loader that defers are made
	// from: the pixels that matter, and how, of each row. Where the regions lie
	// depends on chance, what they become does not.
	Regions []byte
	Recipes []augment.Recipe // (N)

	// Rows is the number of images: rows [Rows, N) are black and Ignored. It is
	// below N for the last batch of an evaluation and where images were skipped.
	Rows int

	N, H, W, C   int
	Epoch, Index int // position: the epoch and the batch in it

	// Skipped has an error for each image that could not be decoded, in a loader
	// that skips them, in their order, and SkippedImages the source's numbers of
	// these images.
	Skipped       []error
	SkippedImages []int

	home *batchPool // where Release returns it, nil once it did
}

// Release gives the batch's memory back to its loader for a later batch. The
// batch must not be used afterwards. A batch never released is left to the
// garbage collector.
func (b *Batch) Release() {
	if home := b.home; home != nil {
		home.put(batchMemory{b.Pixels, b.Regions, b.Labels, b.Recipes})
		b.home, b.Pixels, b.Regions, b.Labels, b.Recipes = nil, nil, nil, nil, nil
	}
}

// batchPool keeps the memory of released batches of one shape.
type batchPool struct {
	n, h, w, c int
	regions    int // bytes of regions in a batch that is deferred, 0 in others
	keep       int // most batches whose memory is kept

	mu   sync.Mutex
	free []batchMemory
}

type batchMemory struct {
	images, regions []byte
	labels          []int32
	recipes         []augment.Recipe
}

// get returns a batch of undefined content. The Batch itself is always a new
// one, so that a second Release of an old one does no harm.
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
