package vec

// Copy computes y = x.
func Copy[T Float](y, x Mat[T]) {
	y.require(x.Rows, x.Cols)
	x.require(x.Rows, x.Cols)
	if k := simd[T](); k != nil && !x.empty() {
		rows, cols := extent(y, x)
		k.copy(ptr(y.Data), ptr(x.Data), rows, cols, y.pitch(), x.pitch())
		return
	}
	for i := range x.Rows {
		copy(y.Row(i), x.Row(i))
	}
}

// Fill sets every element of y to v.
func Fill[T Float](y Mat[T], v T) {
	y.require(y.Rows, y.Cols)
	if k := simd[T](); k != nil && !y.empty() {
		rows, cols := extent(y)
		k.fill(ptr(y.Data), float32(v), rows, cols, y.pitch())
		return
	}
	for i := range y.Rows {
		yr := y.Row(i)
		for c := range yr {
			yr[c] = v
		}
	}
}
