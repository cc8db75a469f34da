package conv

import (
	"math"
	"math/rand/v2"
)

// unit is the largest relative error of one float32 rounding.
const unit = 1.0 / (1 << 24)

// image is pixels of c channels, ld values apart, in memory whose other values are NaN. The last
// pixel ends at the end of the slice; memory after it cannot be read (guarded).
type image struct {
	pixels, c, ld int
	mem           []float32 // with `before` values in front
	v             []float32
}

const before = 5

// newImage returns an image of NaN.
func newImage(pixels, c, ld int) image {
	mem := guarded(before + (pixels-1)*ld + c)
	fill(mem, nan)
	return image{pixels, c, ld, mem, mem[before:]}
}

var nan = float32(math.NaN())

func fill(v []float32, x float32) {
	for i := range v {
		v[i] = x
	}
}

// randomImage returns an image of normally distributed values.
func randomImage(rng *rand.Rand, pixels, c, ld int) image {
	im := newImage(pixels, c, ld)
	for i := range pixels {
		for k := range c {
			im.v[i*ld+k] = float32(rng.NormFloat64())
		}
	}
	return im
}

// set makes every value x.
func (im image) set(x float32) {
	for i := range im.pixels {
		fill(im.v[i*im.ld:i*im.ld+im.c], x)
	}
}

// intact reports whether the values between the pixels are still NaN.
func (im image) intact() bool {
	for i, x := range im.mem {
		at := i - before
		if (at < 0 || at%im.ld >= im.c) && x == x {
			return false
		}
	}
	return true
}

// values is a result and, for each value, the sum of the absolute values of its products.
type values struct{ v, abs []float64 }

func newValues(n int) values { return values{make([]float64, n), make([]float64, n)} }

func (r values) add(i int, a, b float32) {
	r.v[i] += float64(a) * float64(b)
	r.abs[i] += math.Abs(float64(a) * float64(b))
}

// spread replaces each abs by the largest abs among its 3×3 neighbours in an (n, h, w, c) array: a
// transformed tile mixes the sums of its pixels (or, in filter gradients, its taps), so a value has
// the errors of its neighbours.
func (r values) spread(n, h, w, c int) {
	old := append([]float64(nil), r.abs...)
	for i := range n * h * w {
		row, col := i/w%h, i%w
		for y := max(0, row-1); y <= min(h-1, row+1); y++ {
			for x := max(0, col-1); x <= min(w-1, col+1); x++ {
				from := ((i/(h*w)*h+y)*w + x) * c
				for k := range c {
					r.abs[i*c+k] = max(r.abs[i*c+k], old[from+k])
				}
			}
		}
	}
}

// transformed reports whether the convolution may be computed in transformed tiles.
func (g Geometry) transformed() bool { return g.R == 3 && g.S == 3 && g.StrideH == 1 && g.StrideW == 1 }

// eachTap calls f(output pixel, input pixel, tap) for all taps that lie inside the image.
func (g Geometry) eachTap(f func(out, in, tap int)) {
	for n := range g.N {
		for p := range g.P {
			for q := range g.Q {
				for r := range g.R {
					for s := range g.S {
						y, x := p*g.StrideH-g.PadTop+r, q*g.StrideW-g.PadLeft+s
						if y >= 0 && y < g.H && x >= 0 && x < g.W {
							f((n*g.P+p)*g.Q+q, (n*g.H+y)*g.W+x, r*g.S+s)
						}
					}
				}
			}
		}
	}
}

// forwardReference computes the convolution's raw result (pixels, K).
func forwardReference(g Geometry, x image, s *Segment) values {
	y := newValues(g.pixels() * s.K)
	g.eachTap(func(out, in, tap int) {
		for k := range s.K {
			w := s.W[(k*g.R*g.S+tap)*g.C:]
			for c := range g.C {
				y.add(out*s.K+k, x.v[in*x.ld+c], w[c])
			}
		}
	})
	if g.transformed() {
		y.spread(g.N, g.P, g.Q, s.K)
	}
	return y
}

// dataReference computes the data gradient (N·H·W, C).
func dataReference(g Geometry, segs []Segment) values {
	dx := newValues(g.N * g.H * g.W * g.C)
	for i := range segs {
		s := &segs[i]
		g.eachTap(func(out, in, tap int) {
			for k := range s.K {
				w, dy := s.W[(k*g.R*g.S+tap)*g.C:], s.Y[out*s.LdY+k]
				for c := range g.C {
					dx.add(in*g.C+c, dy, w[c])
				}
			}
		})
	}
	if g.transformed() {
		dx.spread(g.N, g.H, g.W, g.C)
	}
	return dx
}

// filterReference computes the filter gradient (K, R, S, C) and the bias gradient (K).
func filterReference(g Geometry, x image, s *Segment) (dw, db values) {
	dw, db = newValues(s.K*g.depth()), newValues(s.K)
	g.eachTap(func(out, in, tap int) {
		for k := range s.K {
			for c := range g.C {
				dw.add((k*g.R*g.S+tap)*g.C+c, s.Y[out*s.LdY+k], x.v[in*x.ld+c])
			}
		}
	})
	if g.transformed() {
		dw.spread(s.K, g.R, g.S, g.C)
		dw.spread(s.K, g.R, g.S, g.C)
	}
	for i := range g.pixels() {
		for k := range s.K {
			db.add(k, s.Y[i*s.LdY+k], 1)
		}
	}
	return dw, db
}
