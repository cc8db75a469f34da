package vec

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// track runs three steps of an optimizer over ranges of many lengths. It compares them with a
// reference for one parameter, whose state is w, ema and two more numbers.
func track[T Float](t *testing.T, emaDecay float64, step func(k int, w, g, s1, s2, ema []T), reference func(k int, g float64, w, s1, s2 *float64)) {
	for _, n := range []int{0, 1, 7, 8, 15, 33, 64, 131} {
		for _, withEMA := range flags {
			v := make([]*frame[T], 5)
			for i := range v {
				v[i] = newFrame[T](t, 1, n).random()
			}
			w, g, s1, s2, ema := v[0], v[1], v[2], v[3], v[4]
			for i, s := range s2.Row(0) { // second moments are positive
				s2.Row(0)[i] = s * s
			}
			want := make([][4]float64, n)
			for i := range want {
				want[i] = [4]float64{w.at(0, i), s1.at(0, i), s2.at(0, i), ema.at(0, i)}
			}
			for k := range 3 {
				e := ema.Row(0)
				if !withEMA {
					e = nil
				}
				step(k, w.Row(0), g.Row(0), s1.Row(0), s2.Row(0), e)
				for i := range want {
					s := &want[i]
					reference(k, g.at(0, i), &s[0], &s[1], &s[2])
					if withEMA {
						s[3] = emaDecay*s[3] + (1-emaDecay)*s[0]
					}
				}
				w.equal(t, func(_, i int) float64 { return want[i][0] })
				s1.equal(t, func(_, i int) float64 { return want[i][1] })
				s2.equal(t, func(_, i int) float64 { return want[i][2] })
				ema.equal(t, func(_, i int) float64 { return want[i][3] })
			}
		}
	}
}

func TestSGD(t *testing.T) { each(t, testSGD[float64], testSGD[float32]) }

func testSGD[T Float](t *testing.T) {
	for _, nesterov := range flags {
		o := SGD{LR: 0.1, Momentum: 0.9, WeightDecay: 0.01, Nesterov: nesterov, GradScale: 0.5, EMADecay: 0.9}
		track(t, o.EMADecay, func(_ int, w, g, buf, _, ema []T) { SGDStep(o, w, g, buf, ema) },
			func(_ int, g float64, w, buf, _ *float64) {
				d := 0.5*g + 0.01**w
				*buf = 0.9**buf + d
				if nesterov {
					d += 0.9 * *buf
				} else {
					d = *buf
				}
				*w -= 0.1 * d
			})
	}
}

func TestRMSProp(t *testing.T) { each(t, testRMSProp[float64], testRMSProp[float32]) }

func testRMSProp[T Float](t *testing.T) {
	for _, tensorFlow := range flags {
		o := RMSProp{LR: 0.1, Decay: 0.9, Momentum: 0.8, Eps: 0.3, WeightDecay: 0.01, TensorFlow: tensorFlow, GradScale: 0.5, EMADecay: 0.99}
		track(t, o.EMADecay, func(_ int, w, g, buf, ms, ema []T) { RMSPropStep(o, w, g, ms, buf, ema) },
			func(_ int, g float64, w, buf, ms *float64) {
				d := 0.5*g + 0.01**w
				*ms = 0.9**ms + 0.1*d*d
				if tensorFlow {
					*buf = 0.8**buf + 0.1*d/math.Sqrt(*ms+0.3)
					*w -= *buf
				} else {
					*buf = 0.8**buf + d/(math.Sqrt(*ms)+0.3)
					*w -= 0.1 * *buf
				}
			})
	}
}

func TestAdamW(t *testing.T) { each(t, testAdamW[float64], testAdamW[float32]) }

func testAdamW[T Float](t *testing.T) {
	o := AdamW{LR: 0.01, Beta1: 0.9, Beta2: 0.99, Eps: 1e-3, WeightDecay: 0.1, GradScale: 2, EMADecay: 0.9}
	at := func(k int) AdamW {
		p := o
		p.Bias1, p.Bias2 = 1-math.Pow(o.Beta1, float64(k+1)), 1-math.Pow(o.Beta2, float64(k+1))
		return p
	}
	track(t, o.EMADecay, func(k int, w, g, m, v, ema []T) { AdamWStep(at(k), w, g, m, v, ema) },
		func(k int, g float64, w, m, v *float64) {
			p := at(k)
			d := 2 * g
			*m = 0.9**m + 0.1*d
			*v = 0.99**v + 0.01*d*d
			*w -= 0.01 * 0.1 * *w
			*w -= 0.01 * (*m / p.Bias1) / (math.Sqrt(*v/p.Bias2) + 1e-3)
		})
}

func TestEMAHasNoBias(t *testing.T) {
	each(t, testEMAHasNoBias[float64], testEMAHasNoBias[float32])
}

// testEMAHasNoBias checks that the average of a constant stays that constant. In float32, d·ema +
// (1-d)·w with d = 0.9999 misses it by 3e-4.
func testEMAHasNoBias[T Float](t *testing.T) {
	w, g, buf, ema := make([]T, 40), make([]T, 40), make([]T, 40), make([]T, 40)
	for i := range w {
		w[i] = T(i) / 3
		ema[i] = w[i]
	}
	for range 20000 {
		SGDStep(SGD{LR: 1, EMADecay: 0.9999}, w, g, buf, ema)
	}
	require.Equal(t, w, ema)
}

func TestSumSquares(t *testing.T) { each(t, testSumSquares[float64], testSumSquares[float32]) }

func testSumSquares[T Float](t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 31, 32, 33, 1000} {
		g := newFrame[T](t, 1, n).random()
		want := 0.0
		for i := range n {
			want += g.at(0, i) * g.at(0, i)
		}
		got := SumSquares(g.Row(0))
		require.InDelta(t, want, got, 1e-12*(1+want))
		require.False(t, nonFinite(got))
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			if n > 0 {
				g.Row(0)[n-1] = T(bad)
				require.True(t, nonFinite(SumSquares(g.Row(0))))
			}
		}
	}
	require.False(t, nonFinite(SumSquares([]float32{math.MaxFloat32, -math.MaxFloat32})))
}

func nonFinite(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }
