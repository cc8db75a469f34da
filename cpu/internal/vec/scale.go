package vec

// Axpy computes y += a·x with one rounding.
func Axpy[T Float](y, x Mat[T], a T) {
	y.require(x.Rows, x.Cols)
	x.require(x.Rows, x.Cols)
	if k := simd[T](); k != nil && !x.empty() {
		rows, cols := extent(y, x)
		k.axpy(ptr(y.Data), ptr(x.Data), float32(a), rows, cols, y.pitch(), x.pitch())
		return
	}
	for i := range x.Rows {
		yr, xr := y.Row(i), x.Row(i)
		for c, v := range xr {
			yr[c] = fma(a, v, yr[c])
		}
	}
}

// Scale computes y = a·x. y may be x.
func Scale[T Float](y, x Mat[T], a T) {
	y.require(x.Rows, x.Cols)
	x.require(x.Rows, x.Cols)
	if k := simd[T](); k != nil && !x.empty() {
		rows, cols := extent(y, x)
		k.scale(ptr(y.Data), ptr(x.Data), float32(a), rows, cols, y.pitch(), x.pitch())
		return
	}
	for i := range x.Rows {
		yr, xr := y.Row(i), x.Row(i)
		for c, v := range xr {
			yr[c] = a * v
		}
	}
}
