package dataset

import "math/rand/v2"

// Each use of random numbers has a stream of its own.
const (
	streamOrder   = iota + 1 // the order of an epoch's samples
	streamAugment            // one sample's transforms in one epoch
	streamSplit              // the files of a folder that become test images
)

// seedFrom sets pcg to the stream of key. Streams of different keys are unrelated, because the key
// is hashed into PCG's 128 bits of state.
func seedFrom(pcg *rand.PCG, key ...uint64) {
	var hi, lo uint64 = 0x243f6a8885a308d3, 0x13198a2e03707344 // digits of π
	for _, k := range key {
		hi = mix(hi ^ k)
		lo = mix(lo + hi)
	}
	pcg.Seed(hi, lo)
}

// mix is the step function of SplitMix64 (Steele, Lea, Flood, 2014).
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// uniform returns a number in [lo, hi).
func uniform(r *rand.Rand, lo, hi float64) float64 {
	return lo + (hi-lo)*r.Float64()
}
