package vec

// ScaleShift computes y[i,c] = x[i,c]·scale[c] + shift[c] with one rounding, then max(·, 0) if
// clamp is set. It is a folded batch normalisation, or a bias if scale is nil. y may be x.
func ScaleShift[T Float](y, x Mat[T], scale, shift []T, clamp bool) {
	y.require(x.Rows, x.Cols)
	x.require(x.Rows, x.Cols)
	if x.empty() {
		return
	}
	shift = shift[:x.Cols]
	if scale != nil {
		scale = scale[:x.Cols]
	}
	if k := simd[T](); k != nil {
		if scale == nil {
			k.addShift[bit(clamp)](ptr(y.Data), ptr(x.Data), ptr(shift), x.Rows, x.Cols, y.pitch(), x.pitch())
		} else {
			k.scaleShift[bit(clamp)](ptr(y.Data), ptr(x.Data), ptr(scale), ptr(shift), x.Rows, x.Cols, y.pitch(), x.pitch())
		}
		return
	}
	for i := range x.Rows {
		yr, xr := y.Row(i), x.Row(i)
		for c, b := range shift {
			v := xr[c] + b
			if scale != nil {
				v = fma(xr[c], scale[c], b)
			}
			if clamp {
				v = relu(v)
			}
			yr[c] = v
		}
	}
}
