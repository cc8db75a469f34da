package graph

import "math"

// Philox4x32 is the Philox-4x32-10 counter-based generator (Salmon et al., "Parallel Random
// Numbers: As Easy as 1, 2, 3", SC 2011). It returns four uniform 32-bit words that depend on the
// counter and the key alone. Every random number of a run comes from it, so dropout replays exactly
// after a resume and is the same on all backends.
//
// Dropout uses the counter {element/4 low, element/4 high, step low, step high}; weight
// initialisation uses {block low, block high, 0, 0}. The key of both is StreamKey of the seed and
// the name of the node or parameter.
func Philox4x32(ctr [4]uint32, key [2]uint32) [4]uint32 {
	const (
		m0, m1 = 0xD2511F53, 0xCD9E8D57
		w0, w1 = 0x9E3779B9, 0xBB67AE85
	)
	for range 10 {
		p0, p1 := uint64(m0)*uint64(ctr[0]), uint64(m1)*uint64(ctr[2])
		ctr = [4]uint32{uint32(p1>>32) ^ ctr[1] ^ key[0], uint32(p1), uint32(p0>>32) ^ ctr[3] ^ key[1], uint32(p0)}
		key[0] += w0
		key[1] += w1
	}
	return ctr
}

// NodeKey returns the 32-bit FNV-1a hash of a name: the part of a Philox key that distinguishes
// nodes and parameters. It does not change when other nodes are added.
func NodeKey(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h
}

// StreamKey returns the Philox key for a seed and a NodeKey.
func StreamKey(seed uint64, node uint32) [2]uint32 {
	return [2]uint32{uint32(seed) ^ uint32(seed>>32)*0x9E3779B9, node}
}

// Random is a stream of numbers from Philox4x32 for one (seed, name). The i-th word is a function
// of i alone.
type Random struct {
	key   [2]uint32
	block uint64
	words [4]uint32
	used  int
	spare float64 // the second normal number of a pair
	has   bool
}

// NewRandom returns the stream of a seed and a name, at its first number.
func NewRandom(seed uint64, name string) *Random {
	return &Random{key: StreamKey(seed, NodeKey(name)), used: 4}
}

// Uint32 returns the next word.
func (r *Random) Uint32() uint32 {
	if r.used == 4 {
		r.words = Philox4x32([4]uint32{uint32(r.block), uint32(r.block >> 32)}, r.key)
		r.block++
		r.used = 0
	}
	r.used++
	return r.words[r.used-1]
}

// Uniform returns the next number in [0,1), with 24 random bits.
func (r *Random) Uniform() float64 { return float64(r.Uint32()>>8) / (1 << 24) }

// Normal returns the next standard normal number. Two words make a pair of numbers (Box and Muller
// 1958).
func (r *Random) Normal() float64 {
	if r.has {
		r.has = false
		return r.spare
	}
	radius := math.Sqrt(-2 * math.Log(1-r.Uniform()))
	sin, cos := math.Sincos(2 * math.Pi * r.Uniform())
	r.spare, r.has = radius*sin, true
	return radius * cos
}
