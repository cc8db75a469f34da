package conv

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/tributary-ml/tributary/cpu/internal/par"
)

// layer is one call of the engine: sibling convolutions of one input, whose outputs are slices of
// wider buffers.
type layer struct {
	name       string
	g          Geometry
	ldx        int
	k, ldy     []int
	noGradient bool // the input is the image
}

func square(n, size, c, kernel, stride int) Geometry {
	out := ceilDiv(size, stride)
	pad := (kernel - 1) / 2
	return Geometry{N: n, H: size, W: size, C: c, R: kernel, S: kernel, StrideH: stride, StrideW: stride, PadTop: pad, PadLeft: pad, P: out, Q: out}
}

// googLeNet lists the convolutions of torchvision's GoogLeNet at 224×224, without its auxiliary
// heads.
func googLeNet(n int) []layer {
	layers := []layer{
		{"conv1-7x7/2", square(n, 224, 3, 7, 2), 3, []int{64}, []int{64}, true},
		{"conv2-1x1", square(n, 56, 64, 1, 1), 64, []int{64}, []int{64}, false},
		{"conv3-3x3", square(n, 56, 64, 3, 1), 64, []int{192}, []int{192}, false},
	}
	for _, m := range []struct {
		name                               string
		size, in, c1, r3, c3, r5, c5, pool int
	}{
		{"3a", 28, 192, 64, 96, 128, 16, 32, 32}, {"3b", 28, 256, 128, 128, 192, 32, 96, 64},
		{"4a", 14, 480, 192, 96, 208, 16, 48, 64}, {"4b", 14, 512, 160, 112, 224, 24, 64, 64},
		{"4c", 14, 512, 128, 128, 256, 24, 64, 64}, {"4d", 14, 512, 112, 144, 288, 32, 64, 64},
		{"4e", 14, 528, 256, 160, 320, 32, 128, 128},
		{"5a", 7, 832, 256, 160, 320, 32, 128, 128}, {"5b", 7, 832, 384, 192, 384, 48, 128, 128},
	} {
		out := m.c1 + m.c3 + m.c5 + m.pool
		layers = append(layers,
			layer{m.name + "-1x1", square(n, m.size, m.in, 1, 1), m.in, []int{m.c1, m.r3, m.r5}, []int{out, m.r3, m.r5}, false},
			layer{m.name + "-3x3", square(n, m.size, m.r3, 3, 1), m.r3, []int{m.c3}, []int{out}, false},
			layer{m.name + "-5x5", square(n, m.size, m.r5, 3, 1), m.r5, []int{m.c5}, []int{out}, false},
			layer{m.name + "-pool", square(n, m.size, m.in, 1, 1), m.in, []int{m.pool}, []int{out}, false})
	}
	return append(layers, layer{"fc", square(n, 1, 1024, 1, 1), 1024, []int{1000}, []int{1000}, false})
}

// others are shapes of small images and of linear layers.
func others() []layer {
	return []layer{
		{"cifar-3x3-16", square(128, 32, 16, 3, 1), 16, []int{16}, []int{16}, false},
		{"cifar-3x3-32", square(128, 32, 32, 3, 1), 32, []int{32}, []int{32}, false},
		{"cifar-3x3-64/2", square(64, 32, 64, 3, 2), 64, []int{64}, []int{64}, false},
		{"cifar-3x3-256", square(64, 8, 256, 3, 1), 256, []int{256}, []int{256}, false},
		{"cifar-1x1-64", square(64, 28, 64, 1, 1), 64, []int{32, 16, 8}, []int{64, 16, 8}, false},
		{"v3-1x7", Geometry{N: 2, H: 17, W: 17, C: 160, R: 1, S: 7, StrideH: 1, StrideW: 1, PadLeft: 3, P: 17, Q: 17}, 160, []int{192}, []int{768}, false},
		{"v3-3x3/2", Geometry{N: 2, H: 35, W: 35, C: 288, R: 3, S: 3, StrideH: 2, StrideW: 2, P: 17, Q: 17}, 288, []int{384}, []int{768}, false},
		{"fc-2048-1024", square(8, 1, 2048, 1, 1), 2048, []int{1024}, []int{1024}, false},
		{"fc-1024-1000x32", square(32, 1, 1024, 1, 1), 1024, []int{1000}, []int{1000}, false},
		{"fc-4x4x128-1024", Geometry{N: 8, H: 4, W: 4, C: 128, R: 4, S: 4, StrideH: 1, StrideW: 1, P: 1, Q: 1}, 128, []int{1024}, []int{1024}, false},
	}
}

// bench is a layer with its memory.
type bench struct {
	layer
	x, dx []float32
	segs  []Segment
}

func (l layer) alloc() *bench {
	rng := rand.New(rand.NewPCG(1, 1))
	random := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = rng.Float32() - 0.5
		}
		return v
	}
	b := &bench{layer: l, x: random(l.g.N * l.g.H * l.g.W * l.ldx), dx: random(l.g.N * l.g.H * l.g.W * l.ldx)}
	for i, k := range l.k {
		b.segs = append(b.segs, Segment{K: k, LdY: l.ldy[i], W: random(k * l.g.depth()), Y: random(l.g.pixels() * l.ldy[i]),
			Sums: make([]float64, 2*k), DW: make([]float32, k*l.g.depth())})
	}
	return b
}

// flops returns the number of operations of one direction.
func (l layer) flops() float64 {
	k := 0
	for _, n := range l.k {
		k += n
	}
	return 2 * float64(l.g.pixels()) * float64(l.g.depth()) * float64(k)
}

var directions = []struct {
	name string
	run  func(e *Engine, b *bench)
}{
	{"Forward", func(e *Engine, b *bench) { e.Forward(b.g, b.x, b.ldx, b.segs) }},
	{"BackwardData", func(e *Engine, b *bench) {
		if !b.noGradient {
			e.BackwardData(b.g, b.segs, b.dx, b.ldx, false)
		}
	}},
	{"BackwardFilter", func(e *Engine, b *bench) { e.BackwardFilter(b.g, b.x, b.ldx, b.segs, false) }},
}

// benchEngine returns an engine with the instruction set that benchmarks use: $CONV_ISA, or the
// best.
func benchEngine() *Engine {
	for _, isa := range Available() {
		if isa.String() == os.Getenv("CONV_ISA") {
			return New(par.New(0), isa)
		}
	}
	return New(par.New(0), Auto)
}

func benchmarkDirection(b *testing.B, d int) {
	e := benchEngine()
	for _, l := range append(googLeNet(8), others()...) {
		b.Run(fmt.Sprintf("%s/n=%d", l.name, l.g.N), func(b *testing.B) {
			m := l.alloc()
			directions[d].run(e, m)
			for b.Loop() {
				directions[d].run(e, m)
			}
			b.ReportMetric(l.flops()*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}

func BenchmarkForward(b *testing.B)        { benchmarkDirection(b, 0) }
func BenchmarkBackwardData(b *testing.B)   { benchmarkDirection(b, 1) }
func BenchmarkBackwardFilter(b *testing.B) { benchmarkDirection(b, 2) }

// BenchmarkGoogLeNetConvs runs all of GoogLeNet's convolutions forward and backward at batch 8,
// layer after layer. It reports the mean in milliseconds per image, and the sum of each call's best
// time, from which it also computes the speed of each direction. On a machine with other users,
// compare the best times. -v prints a table of the calls.
func BenchmarkGoogLeNetConvs(b *testing.B) {
	const n = 8
	e := benchEngine()
	var layers []*bench
	for _, l := range googLeNet(n) {
		layers = append(layers, l.alloc())
	}
	best := make([][3]time.Duration, len(layers))
	step := func() {
		for d, dir := range directions {
			for i := range layers {
				if d > 0 {
					i = len(layers) - 1 - i
				}
				start := time.Now()
				dir.run(e, layers[i])
				if t := time.Since(start); best[i][d] == 0 || t < best[i][d] {
					best[i][d] = t
				}
			}
		}
	}
	step()
	for b.Loop() {
		step()
	}
	var all time.Duration
	for d, dir := range directions {
		var spent time.Duration
		var flops float64
		for i, l := range layers {
			if d != 1 || !l.noGradient {
				spent += best[i][d]
				flops += l.flops()
			}
		}
		all += spent
		b.ReportMetric(flops/spent.Seconds()/1e9, dir.name+"-GFLOP/s")
	}
	b.ReportMetric(all.Seconds()*1e3/n, "best-ms/image")
	b.ReportMetric(b.Elapsed().Seconds()*1e3/n/float64(b.N), "ms/image")
	for i, l := range layers {
		b.Logf("%-12s %5.2f GFLOP   %7.3f %7.3f %7.3f ms   %4.0f %4.0f %4.0f GFLOP/s", l.name, l.flops()/1e9,
			best[i][0].Seconds()*1e3, best[i][1].Seconds()*1e3, best[i][2].Seconds()*1e3,
			l.flops()/best[i][0].Seconds()/1e9, l.flops()/best[i][1].Seconds()/1e9, l.flops()/best[i][2].Seconds()/1e9)
	}
}
