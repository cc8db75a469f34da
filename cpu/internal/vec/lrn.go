package vec

import "math"

// LRN is local response normalisation across channels (Krizhevsky et al. 2012; Caffe and PyTorch
// divide Alpha by Size):
//
//	s[c] = K + Alpha/Size · Σ x[j]² over the Size channels around c, those that exist
//	y[c] = x[c] · s[c]^-Beta
//
// The channels around c are c-Size/2 ... c+(Size-1)/2.
type LRN struct {
	Size           int
	Alpha, Beta, K float64
}

// LRNForward computes y and the bases s that the backward pass needs. y may be x.
func LRNForward[T Float](o LRN, y, s, x Mat[T]) {
	y.require(x.Rows, x.Cols)
	s.require(x.Rows, x.Cols)
	x.require(x.Rows, x.Cols)
	if x.empty() {
		return
	}
	before, after := o.Size/2, (o.Size-1)/2
	alpha := o.Alpha / float64(o.Size)
	if k := simd[T](); k != nil && o.assembled() {
		terms := make([]T, x.Cols+4+k.lanes)
		k.lrnForward(ptr(y.Data), ptr(s.Data), ptr(x.Data), ptr(terms), float32(o.K), float32(alpha), x.Rows, x.Cols, y.pitch(), s.pitch(), x.pitch())
		return
	}
	square := make([]T, before+x.Cols+after)
	for i := range x.Rows {
		yr, sr, xr := y.Row(i), s.Row(i), x.Row(i)
		for c, v := range xr {
			square[before+c] = v * v
		}
		for c, v := range xr {
			sum := T(0)
			for _, q := range square[c : c+o.Size] {
				sum += q
			}
			sr[c] = T(o.K) + T(alpha)*sum
			yr[c] = v * power(sr[c], o.Beta)
		}
	}
}

// LRNBackward computes, with r = dy·x·s^(-Beta-1),
//
//	g[c] = dy[c]·s[c]^-Beta - 2·Beta·Alpha/Size · x[c] · Σ r[j] over the channels j that have c around them
//
// and stores dx = g, or adds dx += g if acc is set. dx may be dy.
func LRNBackward[T Float](o LRN, dx, dy, x, s Mat[T], acc bool) {
	dx.require(x.Rows, x.Cols)
	dy.require(x.Rows, x.Cols)
	x.require(x.Rows, x.Cols)
	s.require(x.Rows, x.Cols)
	if x.empty() {
		return
	}
	before, after := (o.Size-1)/2, o.Size/2
	factor := T(2 * o.Beta * o.Alpha / float64(o.Size))
	if k := simd[T](); k != nil && o.assembled() {
		terms, scaled := make([]T, x.Cols+4+k.lanes), make([]T, x.Cols)
		k.lrnBackward[bit(acc)](ptr(dx.Data), ptr(dy.Data), ptr(x.Data), ptr(s.Data), ptr(terms), ptr(scaled), float32(factor),
			x.Rows, x.Cols, dx.pitch(), dy.pitch(), x.pitch(), s.pitch())
		return
	}
	ratio := make([]T, before+x.Cols+after)
	for i := range x.Rows {
		dxr, dyr, xr, sr := dx.Row(i), dy.Row(i), x.Row(i), s.Row(i)
		for c, v := range xr {
			ratio[before+c] = dyr[c] * v * power(sr[c], o.Beta) / sr[c]
		}
		for c, v := range xr {
			sum := T(0)
			for _, q := range ratio[c : c+o.Size] {
				sum += q
			}
			g := dyr[c]*power(sr[c], o.Beta) - factor*v*sum
			if acc {
				g += dxr[c]
			}
			dxr[c] = g
		}
	}
}

// assembled reports whether the assembly has this window and this power.
func (o LRN) assembled() bool { return o.Size == 5 && o.Beta == 0.75 }

// power returns s^-beta. For 3/4, the beta of every published network, it needs only square roots.
func power[T Float](s T, beta float64) T {
	if beta != 0.75 {
		return T(math.Pow(float64(s), -beta))
	}
	root := math.Sqrt(float64(s))
	return T(1 / (root * math.Sqrt(root)))
}
