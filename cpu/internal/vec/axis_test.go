package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// poolCase is the geometry of one dimension. The tests use it for both dimensions, with different
// sizes.
type poolCase struct {
	in, kernel, stride, before, after int
	ceil, countPad                    bool
	adaptive                          int // number of outputs; 0 for windows
}

var poolCases = []poolCase{
	{in: 9, kernel: 3, stride: 2}, {in: 8, kernel: 3, stride: 2, ceil: true}, {in: 7, kernel: 3, stride: 1, before: 1, after: 1},
	{in: 7, kernel: 3, stride: 1, before: 1, after: 1, countPad: true}, {in: 8, kernel: 3, stride: 2, before: 0, after: 1, countPad: true},
	{in: 11, kernel: 5, stride: 3}, {in: 6, kernel: 2, stride: 2, before: 1, after: 1, ceil: true, countPad: true}, {in: 10, kernel: 2, stride: 4},
	{in: 5, kernel: 5, stride: 1}, {in: 4, kernel: 3, stride: 2, before: 1, after: 1, ceil: true},
	{in: 7, kernel: 3, stride: 2, after: 1, ceil: true, countPad: true}, {in: 6, kernel: 4, stride: 3, before: 2, ceil: true, countPad: true}, // beyond the padding
	{in: 7, adaptive: 1}, {in: 9, adaptive: 4}, {in: 3, adaptive: 5}, {in: 8, adaptive: 4},
}

func (p poolCase) out() int {
	if p.adaptive > 0 {
		return p.adaptive
	}
	span := p.in + p.before + p.after - p.kernel
	if p.ceil {
		out := (span+p.stride-1)/p.stride + 1
		if (out-1)*p.stride >= p.in+p.before {
			out--
		}
		return out
	}
	return span/p.stride + 1
}

func (p poolCase) axis() *Axis {
	if p.adaptive > 0 {
		return AdaptiveAxis(p.in, p.adaptive)
	}
	return NewAxis(p.in, p.out(), p.kernel, p.stride, p.before, p.after, p.countPad)
}

// window returns output o's range as PyTorch computes it: with the padding for the divisor, and
// without.
func (p poolCase) window(o int) (start, lo, hi, size int) {
	if p.adaptive > 0 {
		lo = int(math.Floor(float64(o*p.in) / float64(p.adaptive)))
		hi = int(math.Ceil(float64((o+1)*p.in) / float64(p.adaptive)))
		return lo, lo, hi, hi - lo
	}
	start = o*p.stride - p.before
	end := min(start+p.kernel, p.in+p.after)
	size = end - start
	lo, hi = max(start, 0), min(end, p.in)
	if !p.countPad {
		size = hi - lo
	}
	return start, lo, hi, size
}

func poolPairs(f func(h, w poolCase, cols int)) {
	for i, h := range poolCases {
		f(h, h, []int{1, 8, 13, 16, 31, 33, 64, 70, 130}[i%9])
		w := poolCases[rand.IntN(len(poolCases))]
		f(h, w, 1+rand.IntN(80))
	}
}

func TestAxisMakesFewRuns(t *testing.T) {
	same := NewAxis(28, 28, 3, 1, 1, 1, true)
	require.Len(t, same.forward, 3, "left border, inside, right border")
	require.Len(t, same.reverse, 3)
	require.Len(t, NewAxis(112, 56, 3, 2, 0, 1, false).forward, 2, "inside and the clipped last window")
	require.Len(t, AdaptiveAxis(8, 1).reverse, 1)
}
