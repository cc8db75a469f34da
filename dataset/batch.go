package dataset

import "sync"

// Ignored is the label of a row that holds no image: it counts neither in the
// loss nor in accuracy.
const Ignored = -1

// Batch is N images of one size and their labels.
type Batch struct {
	Images []byte  // (N, H, W, C)
	Labels []int32 // (N); Ignored from Rows on

	// Rows is the number of images: rows [Rows, N) are black and Ignored. It is
	// below N for the last batch of an evaluation and where images were skipped.
	Rows int

	N, H, W, C   int
	Epoch, Index int // position: the epoch and the batch in it

	// Skipped has an error for each image that could not be decoded, in a loader
	// that skips them.
	Skipped []error

	home *batchPool // where Release returns it, nil once it did
}

// Release gives the batch's memory back to its loader for a later batch. The
// batch must not be used afterwards. A batch never released is left to the
// garbage collector.
func (b *Batch) Release() {
	if home := b.home; home != nil {
		home.put(b.Images, b.Labels)
		b.home, b.Images, b.Labels = nil, nil, nil
	}
}

// batchPool keeps the memory of released batches of one shape.
type batchPool struct {
	n, h, w, c int
	keep       int // most batches whose memory is kept

	mu   sync.Mutex
	free []batchMemory
}

type batchMemory struct {
	images []byte
	labels []int32
}

// get returns a batch with undefined images and labels. The Batch itself is
// always a new one, so that a second Release of an old one does no harm.
func (p *batchPool) get() *Batch {
	b := &Batch{N: p.n, H: p.h, W: p.w, C: p.c, home: p}
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.free) - 1; last >= 0 {
		b.Images, b.Labels = p.free[last].images, p.free[last].labels
		p.free = p.free[:last]
	} else {
		b.Images, b.Labels = make([]byte, p.n*p.h*p.w*p.c), make([]int32, p.n)
	}
	return b
}

func (p *batchPool) put(images []byte, labels []int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < p.keep {
		p.free = append(p.free, batchMemory{images, labels})
	}
}
