package vec

// Add computes y += x.
func Add[T Float](y, x Mat[T]) {
	y.require(x.Rows, x.Cols)
	x.require(x.Rows, x.Cols)
	if k := simd[T](); k != nil && !x.empty() {
		rows, cols := extent(y, x)
		k.add(ptr(y.Data), ptr(x.Data), rows, cols, y.pitch(), x.pitch())
		return
	}
	for i := range x.Rows {
		yr, xr := y.Row(i), x.Row(i)
		for c, v := range xr {
			yr[c] += v
		}
	}
}
