package dataset

import (
	"sync"
	"sync/atomic"
)

// slabBytes is the amount of memory that a cache allocates at a time.
const slabBytes = 64 << 20

// cache keeps decoded images of a source. It keeps the images that are asked for first, as many as
// fit. Decoding a photograph takes milliseconds, copying it some ten microseconds.
type cache struct {
	Source
	images []atomic.Pointer[cached] // by index
	slabs  slabs
}

// cached is an image in memory.
type cached struct {
	pix     []byte // in a slab
	h, w, c int
	label   int32
}

// withCache returns src with a cache. Several caches may share a budget of bytes.
func withCache(src Source, budget *atomic.Int64) *cache {
	return &cache{Source: src, images: make([]atomic.Pointer[cached], src.Len()), slabs: slabs{budget: budget}}
}

// Decode implements Source. A file that changes after its first reading is not read again.
func (c *cache) Decode(i int, dst *Image) (int32, error) {
	label, _, err := c.decodePiece(i, everything, dst)
	return label, err
}

// decodePiece implements pieceSource. An image that fits into the cache is decoded as a whole and
// kept. Its pieces have the same pixels.
func (c *cache) decodePiece(i int, ask func(h, w int) need, dst *Image) (int32, piece, error) {
	if m := c.images[i].Load(); m != nil {
		dst.Reshape(m.h, m.w, m.c)
		copy(dst.Pix, m.pix)
		return m.label, all(dst), nil
	}
	keep := true
	label, p, err := decodePiece(c.Source, i, func(h, w int) need {
		n := ask(h, w)
		if keep = !n.shrinks && c.slabs.room(h*w*c.Info().C); keep {
			return everything(h, w)
		}
		return n
	}, dst)
	if err != nil || !keep || p != all(dst) {
		return label, p, err
	}
	if pix := c.slabs.take(len(dst.Pix)); pix != nil {
		copy(pix, dst.Pix)
		c.images[i].Store(&cached{pix, dst.H, dst.W, dst.C, label})
	}
	return label, p, nil
}

func (c *cache) counts() []int { return Counts(c.Source) }

// close frees the memory. No image may be decoded at the same time.
func (c *cache) close() {
	for i := range c.images {
		c.images[i].Store(nil)
	}
	c.slabs.free()
}

// slabs are large pieces of memory that hold images one behind another. They lie outside Go's heap,
// because the collector would let the heap grow to twice what is kept.
type slabs struct {
	budget *atomic.Int64 // bytes that may still be allocated

	mu   sync.Mutex
	all  [][]byte
	rest []byte // free end of the last slab
}

// room reports whether there may be room for n bytes.
func (s *slabs) room(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(n) <= max(s.budget.Load(), int64(len(s.rest)))
}

// take returns room for n bytes, or nil if there is none.
func (s *slabs) take(n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > slabBytes/16 { // the unused end of a slab would be large
		return s.slab(int64(n), int64(n))
	}
	if n > len(s.rest) {
		slab := s.slab(int64(n), slabBytes)
		if slab == nil {
			return nil
		}
		s.rest = slab
	}
	out := s.rest[:n:n]
	s.rest = s.rest[n:]
	return out
}

// slab allocates a slab of least to most bytes out of the budget.
func (s *slabs) slab(least, most int64) []byte {
	for {
		left := s.budget.Load()
		size := max(least, min(most, left))
		if size > left {
			return nil
		}
		if !s.budget.CompareAndSwap(left, left-size) {
			continue
		}
		slab, err := newSlab(int(size))
		if err != nil { // there is less memory than the budget says
			s.budget.Store(0)
			return nil
		}
		s.all = append(s.all, slab)
		return slab
	}
}

func (s *slabs) free() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slab := range s.all {
		s.budget.Add(int64(len(slab)))
		freeSlab(slab)
	}
	s.all, s.rest = nil, nil
}
