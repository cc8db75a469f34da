package augment

import "slices"

const (
	lowBits    = 15 // bits of a weight in its lower part
	groupTaps  = 4  // pixels of a row that a kernel processes at a time
	groupBytes = 16 // bytes that a kernel reads for them
)

// packedTaps are weights in the form that kernels read: in pairs, with the lower parts of both in
// one number and the upper parts in the next.
type packedTaps struct {
	valid   bool
	offsets []int32 // (out, rounded up to a multiple of 4): byte of the first pixel of three bytes
	weight  []int32 // (out, pairs, 2)
	pairs   int     // the maximum over all outputs; 1 or an even number for rows of pixels
}

// packPair packs a pair of weights.
func packPair(a, b int32) (low, high int32) {
	const lowMask, mask = 1<<lowBits - 1, 1<<16 - 1
	return a&lowMask | b&lowMask<<16, a>>lowBits&mask | b>>lowBits<<16
}

// pack fills in the packed weights for outputs positions; positions beyond the real ones are black.
// The number of pairs is rounded up to a multiple of group, unless it is 1.
func (t *taps) pack(outputs, group int) {
	p := &t.packed
	if p.valid {
		return
	}
	p.valid = true
	pairs := (slices.Max(t.count) + 1) / 2
	if p.pairs = max(1, pairs); p.pairs > 1 {
		p.pairs = (p.pairs + group - 1) / group * group
	}
	p.offsets = slices.Grow(p.offsets[:0], outputs)[:outputs]
	p.weight = slices.Grow(p.weight[:0], outputs*p.pairs*2)[:outputs*p.pairs*2]
	clear(p.offsets)
	clear(p.weight)
	for i := range t.out {
		w := t.weight[i*t.most:][:t.count[i]]
		p.offsets[i] = int32(3 * t.start[i])
		to := p.weight[i*p.pairs*2:]
		for k := 0; k < len(w); k += 2 {
			var next int32
			if k+1 < len(w) {
				next = w[k+1]
			}
			to[k], to[k+1] = packPair(w[k], next)
		}
	}
}
