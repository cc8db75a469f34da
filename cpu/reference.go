package cpu

import (
	"github.com/tributary-ml/tributary/cpu/internal/conv"
	"github.com/tributary-ml/tributary/cpu/internal/par"
	"github.com/tributary-ml/tributary/cpu/internal/vec"
)

// referenceConv computes convolutions as they are defined, loop by loop, in T. It is the float64
// path that everything else is compared with. It is not made for speed, but its innermost loop runs
// over contiguous memory.
type referenceConv[T vec.Float] struct{ pool *par.Pool }

// taps calls f for every kernel tap (r,s) of output pixel (p,q) that lies inside the image.
func taps(g conv.Geometry, p, q int, f func(r, s, h, w int)) {
	for r := range g.R {
		h := p*g.StrideH + r - g.PadTop
		if h < 0 || h >= g.H {
			continue
		}
		for s := range g.S {
			if w := q*g.StrideW + s - g.PadLeft; w >= 0 && w < g.W {
				f(r, s, h, w)
			}
		}
	}
}

func axpy[T vec.Float](y []T, a T, x []T) {
	x = x[:len(y)]
	for i := range y {
		y[i] += a * x[i]
	}
}

func (o *referenceConv[T]) forward(g conv.Geometry, x []T, ldx int, segs []segment[T]) {
	for _, s := range segs {
		w := make([]T, len(s.w)) // (R, S, C, K)
		rsc := g.R * g.S * g.C
		for k := range s.k {
			for i := range rsc {
				w[i*s.k+k] = s.w[k*rsc+i]
			}
		}
		o.pool.Run(g.N*g.P, func(task, _ int) {
			n, p := task/g.P, task%g.P
			for q := range g.Q {
				y := s.y[((n*g.P+p)*g.Q+q)*s.ldy:][:s.k]
				clear(y)
				taps(g, p, q, func(r, t, h, ww int) {
					px := x[((n*g.H+h)*g.W+ww)*ldx:][:g.C]
					base := (r*g.S + t) * g.C
					for c, v := range px {
						axpy(y, v, w[(base+c)*s.k:])
					}
				})
			}
		})
		y := vec.Mat[T]{Data: s.y, Rows: g.N * g.P * g.Q, Cols: s.k, Stride: s.ldy}
		if s.sums != nil {
			clear(s.sums)
			vec.ChannelSums(y, s.sums[:s.k], s.sums[s.k:])
		}
		switch {
		case s.shift != nil:
			vec.ScaleShift(y, y, s.scale, s.shift, s.relu)
		case s.relu:
			vec.ReLU(y, y)
		}
	}
}

func (o *referenceConv[T]) backwardData(g conv.Geometry, segs []segment[T], dx []T, lddx int, accumulate bool) {
	o.pool.Run(g.N, func(n, _ int) {
		if !accumulate {
			for i := range g.H * g.W {
				clear(dx[(n*g.H*g.W+i)*lddx:][:g.C])
			}
		}
		for _, s := range segs {
			for p := range g.P {
				for q := range g.Q {
					dy := s.y[((n*g.P+p)*g.Q+q)*s.ldy:][:s.k]
					taps(g, p, q, func(r, t, h, w int) {
						d := dx[((n*g.H+h)*g.W+w)*lddx:][:g.C]
						for k, v := range dy {
							axpy(d, v, s.w[((k*g.R+r)*g.S+t)*g.C:])
						}
					})
				}
			}
		}
	})
}

func (o *referenceConv[T]) backwardFilter(g conv.Geometry, x []T, ldx int, segs []segment[T], accumulate bool) {
	for _, s := range segs {
		rsc := g.R * g.S * g.C
		o.pool.Run(s.k, func(k, _ int) {
			dw := s.dw[k*rsc:][:rsc]
			sum := T(0)
			if !accumulate {
				clear(dw)
			}
			for n := range g.N {
				for p := range g.P {
					for q := range g.Q {
						v := s.y[((n*g.P+p)*g.Q+q)*s.ldy+k]
						sum += v
						taps(g, p, q, func(r, t, h, w int) {
							axpy(dw[(r*g.S+t)*g.C:][:g.C], v, x[((n*g.H+h)*g.W+w)*ldx:])
						})
					}
				}
			}
			if s.dbias != nil {
				if accumulate {
					sum += s.dbias[k]
				}
				s.dbias[k] = sum
			}
		})
	}
}
