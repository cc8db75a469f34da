package vec

// Batch normalisation of x with the batch statistics mean and invstd = 1/sqrt(var+eps), weight γ
// and bias β is
//
//	y = relu(x·scale + shift), scale = γ·invstd, shift = β - mean·scale
//
// which ScaleShift computes. Its gradient takes two passes (Ioffe and Szegedy, "Batch
// Normalization", 2015). With g = dy where x·scale+shift > 0, otherwise 0, and N rows:
//
//	dβ = Σ g, dγ = Σ g·(x-mean)·invstd                                   (BNBackwardReduce)
//	dx = scale·(g - dβ/N - (x-mean)·invstd·dγ/N) = a·g + b·x + c         (BNBackwardApply)
//	a = scale, b = -scale·invstd·dγ/N, c = -scale·dβ/N - b·mean
//
// Both passes recompute the sign of the forward pass's FMA from x, so neither y nor a mask is
// stored.

// ChannelSums adds the sums of the columns to sum, and the sums of their squares to sumsq. Assembly
// adds at most 32 rows in float32 before it adds to float64.
func ChannelSums[T Float](x Mat[T], sum, sumsq []float64) {
	x.require(x.Rows, x.Cols)
	if x.empty() {
		return
	}
	sum, sumsq = sum[:x.Cols], sumsq[:x.Cols]
	if k := simd[T](); k != nil {
		k.channelSums(ptr(x.Data), &sum[0], &sumsq[0], x.Rows, x.Cols, x.pitch())
		return
	}
	for i := range x.Rows {
		for c, v := range x.Row(i) {
			f := float64(v)
			sum[c] += f
			sumsq[c] += f * f
		}
	}
}

// BNBackwardReduce adds Σ g to dbeta and Σ g·(x-mean)·invstd to dgamma. g is dy; if clamp is set, g
// is 0 where the forward pass's x·scale+shift is not above 0. scale and shift are used only if
// clamp is set.
func BNBackwardReduce[T Float](dy, x Mat[T], scale, shift, mean, invstd []T, clamp bool, dbeta, dgamma []float64) {
	dy.require(x.Rows, x.Cols)
	x.require(x.Rows, x.Cols)
	if x.empty() {
		return
	}
	mean, invstd, dbeta, dgamma = mean[:x.Cols], invstd[:x.Cols], dbeta[:x.Cols], dgamma[:x.Cols]
	if clamp {
		scale, shift = scale[:x.Cols], shift[:x.Cols]
	}
	if k := simd[T](); k != nil {
		if clamp {
			k.bnReduceClamp(ptr(dy.Data), ptr(x.Data), ptr(scale), ptr(shift), ptr(mean), ptr(invstd), &dbeta[0], &dgamma[0],
				x.Rows, x.Cols, dy.pitch(), x.pitch())
		} else {
			k.bnReduce(ptr(dy.Data), ptr(x.Data), ptr(mean), ptr(invstd), &dbeta[0], &dgamma[0],
				x.Rows, x.Cols, dy.pitch(), x.pitch())
		}
		return
	}
	for i := range x.Rows {
		dyr, xr := dy.Row(i), x.Row(i)
		for c, g := range dyr {
			if clamp && fma(xr[c], scale[c], shift[c]) <= 0 {
				continue
			}
			dbeta[c] += float64(g)
			dgamma[c] += float64(g) * (float64(xr[c]) - float64(mean[c])) * float64(invstd[c])
		}
	}
}

// BNBackwardApply computes v = a[c]·g + b[c]·x + c[c], with g as in BNBackwardReduce. It stores dx
// = v, or adds dx += v if acc is set. dx may be dy.
func BNBackwardApply[T Float](dx, dy, x Mat[T], scale, shift, a, b, c []T, clamp, acc bool) {
	dx.require(x.Rows, x.Cols)
	dy.require(x.Rows, x.Cols)
	x.require(x.Rows, x.Cols)
	if x.empty() {
		return
	}
	a, b, c = a[:x.Cols], b[:x.Cols], c[:x.Cols]
	if clamp {
		scale, shift = scale[:x.Cols], shift[:x.Cols]
	}
	if k := simd[T](); k != nil {
		if clamp {
			k.bnApplyClamp[bit(acc)](ptr(dx.Data), ptr(dy.Data), ptr(x.Data), ptr(scale), ptr(shift), ptr(a), ptr(b), ptr(c),
				x.Rows, x.Cols, dx.pitch(), dy.pitch(), x.pitch())
		} else {
			k.bnApply[bit(acc)](ptr(dx.Data), ptr(dy.Data), ptr(x.Data), ptr(a), ptr(b), ptr(c),
				x.Rows, x.Cols, dx.pitch(), dy.pitch(), x.pitch())
		}
		return
	}
	for i := range x.Rows {
		dxr, dyr, xr := dx.Row(i), dy.Row(i), x.Row(i)
		for j, g := range dyr {
			if clamp && fma(xr[j], scale[j], shift[j]) <= 0 {
				g = 0
			}
			v := fma(a[j], g, fma(b[j], xr[j], c[j]))
			if acc {
				v += dxr[j]
			}
			dxr[j] = v
		}
	}
}
