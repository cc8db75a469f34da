package conv

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/cpu/internal/par"
)

var seed = flag.Uint64("seed", 1, "seed of the random shapes")

// factor bounds the error of a sum of products in units of the rounding error of Σ|a||b|. The
// errors of a running sum of n products of independent values add up like a random walk. With σ the
// deviation of a product, partial sum i is about σ√i and is rounded with an error below unit·σ√i.
// Together that makes unit·σ·n/√2, while Σ|a||b| is 0.64·σ·n: a typical error is about 1 unit of
// Σ|a||b| for every n. Eight leave room for the tails over all values of all shapes.
const factor = 8

// randomGeometry returns a geometry with kernels that the Inception family uses. About every third
// can be computed in transformed tiles.
func randomGeometry(rng *rand.Rand) Geometry {
	if rng.IntN(3) == 0 {
		g := Geometry{N: 1 + rng.IntN(4), P: 1 + rng.IntN(9), Q: 1 + rng.IntN(9), C: 8 * (1 + rng.IntN(7)), R: 3, S: 3,
			StrideH: 1, StrideW: 1, PadTop: rng.IntN(3), PadLeft: rng.IntN(3)}
		g.H, g.W = g.P+2-rng.IntN(3), g.Q+2-rng.IntN(3)
		return g
	}
	kernels := [][2]int{{1, 1}, {1, 1}, {3, 3}, {3, 3}, {5, 5}, {7, 7}, {1, 7}, {7, 1}, {1, 3}, {3, 1}, {2, 3}, {4, 4}}
	rs := kernels[rng.IntN(len(kernels))]
	channels := []int{1, 3, 8, 16, 24, 32, 48, 64, 5 + rng.IntN(60)}
	g := Geometry{N: 1 + rng.IntN(3), R: rs[0], S: rs[1], C: channels[rng.IntN(len(channels))], StrideH: 1, StrideW: 1}
	switch rng.IntN(4) {
	case 0:
		g.StrideH, g.StrideW = 2, 2
	case 1:
		g.StrideH, g.StrideW = 1+rng.IntN(3), 1+rng.IntN(3)
	}
	if rng.IntN(8) == 0 { // a linear layer
		g.H, g.W, g.P, g.Q = g.R, g.S, 1, 1
		g.N = 1 + rng.IntN(32)
		return g
	}
	g.PadTop, g.PadLeft = rng.IntN(g.R), rng.IntN(g.S)
	axis := func(kernel, stride, pad int) (in, out int) {
		for {
			in, out = 1+rng.IntN(14), 1+rng.IntN(10)
			over := (out-1)*stride - pad + kernel - in // how far the last output reads beyond the input
			if over < kernel && (out-1)*stride-pad < in {
				return in, out
			}
		}
	}
	g.H, g.P = axis(g.R, g.StrideH, g.PadTop)
	g.W, g.Q = axis(g.S, g.StrideW, g.PadLeft)
	return g
}

func randomSegments(rng *rand.Rand, g Geometry) []Segment {
	filters := []int{1, 3, 10, 16, 24, 32, 48, 64, 1 + rng.IntN(70)}
	segs := make([]Segment, 1+rng.IntN(3))
	eights := rng.IntN(2) == 0
	for i := range segs {
		s := &segs[i]
		s.K = filters[rng.IntN(len(filters))]
		if eights && g.transformed() {
			s.K = 8 * (1 + rng.IntN(8))
		}
		s.LdY = s.K + rng.IntN(2)*rng.IntN(20)
		s.W = randomImage(rng, 1, s.K*g.depth(), s.K*g.depth()).v
	}
	return segs
}

// largeCases are large enough to be cut in every possible way. Quick tests leave out the slow ones.
var largeCases = []struct {
	Geometry
	k    int // filters; 0 means any number
	slow bool
}{
	{Geometry{N: 5, H: 60, W: 61, C: 16, R: 3, S: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, P: 60, Q: 61}, 16, false}, // batches of transformed tiles
	{Geometry{N: 2, H: 70, W: 67, C: 3, R: 7, S: 7, StrideH: 2, StrideW: 2, PadTop: 3, PadLeft: 3, P: 35, Q: 34}, 8, false},   // few channels
	{Geometry{N: 2, H: 45, W: 41, C: 20, R: 1, S: 1, StrideH: 1, StrideW: 1, P: 45, Q: 41}, 0, false},                         // many pixels
	{Geometry{N: 2, H: 46, W: 46, C: 32, R: 3, S: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, P: 46, Q: 46}, 0, true},   // transformed tiles with any number of filters
	{Geometry{N: 3, H: 10, W: 12, C: 112, R: 5, S: 5, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 2, P: 8, Q: 11}, 0, true},   // a long reduction
	{Geometry{N: 40, H: 3, W: 3, C: 100, R: 3, S: 3, StrideH: 1, StrideW: 1, P: 1, Q: 1}, 0, false},                           // a linear layer
}

// engines returns engines with all instruction sets on one, two and three workers.
func engines() map[string]*Engine {
	es := map[string]*Engine{}
	for _, isa := range Available() {
		for _, workers := range []int{1, 2, 3} {
			es[fmt.Sprintf("%v/%d", isa, workers)] = New(par.New(workers), isa)
		}
	}
	return es
}

// forEachCase runs a test of random shapes on all engines. run returns its results, which must be
// the same bits for any number of workers.
func forEachCase(t *testing.T, test func(rng *rand.Rand, g Geometry, segs []Segment) (run func(t *testing.T, e *Engine) [][]float32)) {
	es := engines()
	cases, large := 60, len(largeCases)
	if testing.Short() {
		cases = 10
	}
	for i := range large + cases {
		rng := rand.New(rand.NewPCG(*seed, uint64(i)))
		var g Geometry
		if i < large {
			g = largeCases[i].Geometry
			if testing.Short() && largeCases[i].slow {
				continue
			}
		} else {
			g = randomGeometry(rng)
		}
		segs := randomSegments(rng, g)
		if i < large {
			segs = segs[:1]
			if s, k := &segs[0], largeCases[i].k; k > 0 {
				s.K, s.LdY, s.W = k, k+3, randomImage(rng, 1, k*g.depth(), k*g.depth()).v
			}
		}
		t.Run(fmt.Sprintf("seed=%d/%d", *seed, i), func(t *testing.T) {
			defer freeGuarded()
			run := test(rng, g, segs)
			for _, isa := range Available() {
				var first [][]float32
				for _, workers := range []int{1, 2, 3} {
					got := run(t, es[fmt.Sprintf("%v/%d", isa, workers)])
					if workers == 1 {
						first = got
					}
					require.True(t, sameBits(first, got), "%v: %d workers give other bits than 1; %+v", isa, workers, g)
				}
			}
		})
	}
}

func sameBits(a, b [][]float32) bool {
	for i := range a {
		for j := range a[i] {
			if math.Float32bits(a[i][j]) != math.Float32bits(b[i][j]) {
				return false
			}
		}
	}
	return len(a) == len(b)
}

// requireClose checks got against want with an error of at most bound(i) for value i.
func requireClose(t *testing.T, what string, got []float32, want []float64, bound func(i int) float64, g Geometry) {
	t.Helper()
	require.Equal(t, len(want), len(got))
	for i, v := range got {
		if d := math.Abs(float64(v) - want[i]); !(d <= bound(i)) {
			require.Failf(t, "wrong value", "%s[%d] = %g, want %g: off by %g, allowed %g; %+v", what, i, v, want[i], d, bound(i), g)
		}
	}
}

// dense copies the values of an image without the memory between pixels.
func (im image) dense() []float32 {
	var out []float32
	for i := range im.pixels {
		out = append(out, im.v[i*im.ld:i*im.ld+im.c]...)
	}
	return out
}

func randomVector(rng *rand.Rand, n int) []float32 { return randomImage(rng, 1, n, n).v }

func TestForward(t *testing.T) {
	forEachCase(t, func(rng *rand.Rand, g Geometry, segs []Segment) func(*testing.T, *Engine) [][]float32 {
		x := randomImage(rng, g.N*g.H*g.W, g.C, g.C+rng.IntN(2)*rng.IntN(20))
		want := make([]values, len(segs))
		for i := range segs {
			s := &segs[i]
			want[i] = forwardReference(g, x, s)
			if rng.IntN(2) == 0 {
				s.Scale = randomVector(rng, s.K)
			}
			if rng.IntN(2) == 0 {
				s.Shift = randomVector(rng, s.K)
			}
			s.ReLU = rng.IntN(2) == 0
			if rng.IntN(2) == 0 {
				s.Sums = make([]float64, 2*s.K)
			}
		}
		return func(t *testing.T, e *Engine) (got [][]float32) {
			var ys []image
			for i := range segs {
				y := newImage(g.pixels(), segs[i].K, segs[i].LdY)
				segs[i].Y = y.v
				ys = append(ys, y)
				for j := range segs[i].Sums {
					segs[i].Sums[j] = math.NaN()
				}
			}
			e.Forward(g, x.v, x.ld, segs)
			for i := range segs {
				s := &segs[i]
				require.True(t, ys[i].intact(), "values between pixels were written")
				y := ys[i].dense()
				checkSums(t, g, s, want[i])
				final, bounds := epilogueReference(s, want[i])
				requireClose(t, fmt.Sprintf("segment %d: y", i), y, final, func(i int) float64 { return bounds[i] }, g)
				got = append(got, y)
				var sums []float32
				for _, v := range s.Sums {
					sums = append(sums, math.Float32frombits(uint32(math.Float64bits(v))), math.Float32frombits(uint32(math.Float64bits(v)>>32)))
				}
				got = append(got, sums)
			}
			return got
		}
	})
}

// epilogueReference applies the segment's scale, shift and ReLU to raw values, and returns the
// error that each result may have.
func epilogueReference(s *Segment, raw values) (want, bound []float64) {
	for i, v := range raw.v {
		b := factor * unit * raw.abs[i]
		if s.Scale != nil {
			v *= float64(s.Scale[i%s.K])
			b = b*math.Abs(float64(s.Scale[i%s.K])) + 2*unit*math.Abs(v)
		}
		if s.Shift != nil {
			v += float64(s.Shift[i%s.K])
			b += 2 * unit * math.Abs(v)
		}
		if s.ReLU {
			v = max(v, 0)
		}
		want, bound = append(want, v), append(bound, b)
	}
	return want, bound
}

// checkSums checks the sums of a segment. Besides the errors of the values, up to twelve values are
// added in float32.
func checkSums(t *testing.T, g Geometry, s *Segment, raw values) {
	if s.Sums == nil {
		return
	}
	want, bound := make([]float64, 2*s.K), make([]float64, 2*s.K)
	for i, v := range raw.v {
		k, off := i%s.K, factor*unit*raw.abs[i]
		want[k] += v
		bound[k] += off + 12*unit*math.Abs(v)
		want[s.K+k] += v * v
		bound[s.K+k] += 2*off*math.Abs(v) + 14*unit*v*v
	}
	for i := range want {
		require.InDelta(t, want[i], s.Sums[i], bound[i]+1e-12, "sum %d of K=%d; %+v", i, s.K, g)
	}
}

func TestBackwardData(t *testing.T) {
	forEachCase(t, func(rng *rand.Rand, g Geometry, segs []Segment) func(*testing.T, *Engine) [][]float32 {
		for i := range segs {
			segs[i].Y = randomImage(rng, g.pixels(), segs[i].K, segs[i].LdY).v
		}
		want := dataReference(g, segs)
		accumulate := rng.IntN(2) == 0
		if accumulate {
			for i := range want.v {
				want.v[i] += 0.75
				want.abs[i] += 0.75
			}
		}
		ld := g.C + rng.IntN(2)*rng.IntN(20)
		return func(t *testing.T, e *Engine) [][]float32 {
			dx := newImage(g.N*g.H*g.W, g.C, ld)
			if accumulate {
				dx.set(0.75)
			}
			e.BackwardData(g, segs, dx.v, ld, accumulate)
			require.True(t, dx.intact(), "values between pixels were written")
			requireClose(t, "dx", dx.dense(), want.v, func(i int) float64 { return factor * unit * want.abs[i] }, g)
			return [][]float32{dx.dense()}
		}
	})
}

func TestBackwardFilter(t *testing.T) {
	forEachCase(t, func(rng *rand.Rand, g Geometry, segs []Segment) func(*testing.T, *Engine) [][]float32 {
		x := randomImage(rng, g.N*g.H*g.W, g.C, g.C+rng.IntN(2)*rng.IntN(20))
		accumulate := rng.IntN(2) == 0
		var old float32
		if accumulate {
			old = 0.75
		}
		var dw, db []values
		bias := make([]bool, len(segs))
		for i := range segs {
			segs[i].Y = randomImage(rng, g.pixels(), segs[i].K, segs[i].LdY).v
			w, b := filterReference(g, x, &segs[i])
			for _, r := range []values{w, b} {
				for j := range r.v {
					r.v[j] += float64(old)
					r.abs[j] += float64(old)
				}
			}
			dw, db = append(dw, w), append(db, b)
			bias[i] = rng.IntN(2) == 0
		}
		return func(t *testing.T, e *Engine) (got [][]float32) {
			for i := range segs {
				s := &segs[i]
				s.DW, s.DBias = newImage(1, s.K*g.depth(), s.K*g.depth()).v, nil
				if bias[i] {
					s.DBias = newImage(1, s.K, s.K).v
				}
				if accumulate {
					fill(s.DW, old)
					fill(s.DBias, old)
				}
			}
			e.BackwardFilter(g, x.v, x.ld, segs, accumulate)
			for i := range segs {
				requireClose(t, "dw", segs[i].DW, dw[i].v, func(j int) float64 { return factor * unit * dw[i].abs[j] }, g)
				got = append(got, segs[i].DW)
				if bias[i] {
					requireClose(t, "db", segs[i].DBias, db[i].v, func(j int) float64 { return factor * unit * db[i].abs[j] }, g)
					got = append(got, segs[i].DBias)
				}
			}
			return got
		}
	})
}

func TestWrongArgumentsPanic(t *testing.T) {
	e := New(nil, Auto)
	g := Geometry{N: 1, H: 2, W: 2, C: 3, R: 1, S: 1, StrideH: 1, StrideW: 1, P: 2, Q: 2}
	x, ok := make([]float32, 12), Segment{K: 2, W: make([]float32, 6), Y: make([]float32, 8), LdY: 2}
	require.NotPanics(t, func() { e.Forward(g, x, 3, []Segment{ok}) })
	require.PanicsWithValue(t, "conv: input pixels are 2 apart but have 3 channels", func() { e.Forward(g, x, 2, []Segment{ok}) })
	short := ok
	short.W = short.W[:5]
	require.PanicsWithValue(t, "conv: W has 5 values, want 6", func() { e.Forward(g, x, 3, []Segment{short}) })
	require.PanicsWithValue(t, "conv: no segment", func() { e.BackwardData(g, nil, x, 3, false) })
	require.Panics(t, func() { e.Forward(g, x[:11], 3, []Segment{ok}) })
	require.Panics(t, func() { New(nil, ISA(99)) })
}

func TestNothingIsAllocatedInSteadyState(t *testing.T) {
	e := New(par.New(1), Auto)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, g := range []Geometry{
		{N: 2, H: 9, W: 9, C: 24, R: 3, S: 3, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, P: 5, Q: 5},
		{N: 2, H: 7, W: 7, C: 32, R: 1, S: 1, StrideH: 1, StrideW: 1, P: 7, Q: 7},
		{N: 2, H: 7, W: 7, C: 32, R: 3, S: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, P: 7, Q: 7},
		{N: 2, H: 33, W: 33, C: 3, R: 3, S: 3, StrideH: 2, StrideW: 2, P: 16, Q: 16},
		{N: 8, H: 1, W: 1, C: 200, R: 1, S: 1, StrideH: 1, StrideW: 1, P: 1, Q: 1},
	} {
		x := randomVector(rng, g.N*g.H*g.W*g.C)
		segs := make([]Segment, 2)
		for i := range segs {
			k := 16 + 16*i
			segs[i] = Segment{K: k, LdY: k, W: randomVector(rng, k*g.depth()), Y: make([]float32, g.pixels()*k),
				Scale: make([]float32, k), Sums: make([]float64, 2*k), DW: make([]float32, k*g.depth()), DBias: make([]float32, k)}
		}
		require.Zero(t, testing.AllocsPerRun(5, func() { e.Forward(g, x, g.C, segs) }), "Forward")
		require.Zero(t, testing.AllocsPerRun(5, func() { e.BackwardFilter(g, x, g.C, segs, false) }), "BackwardFilter")
		require.Zero(t, testing.AllocsPerRun(5, func() { e.BackwardData(g, segs, x, g.C, false) }), "BackwardData")
	}
	freeGuarded()
}
