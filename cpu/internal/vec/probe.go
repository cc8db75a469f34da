package vec

// Probe adds the sums of squares of the columns to squares, in float64 from the start. It adds to
// zeros how many values of each column are not above zero; NaN is not above zero.
func Probe[T Float](x Mat[T], squares, zeros []float64) {
	x.require(x.Rows, x.Cols)
	if x.empty() {
		return
	}
	squares, zeros = squares[:x.Cols], zeros[:x.Cols]
	if k := simd[T](); k != nil {
		k.probe(ptr(x.Data), &squares[0], &zeros[0], x.Rows, x.Cols, x.pitch())
		return
	}
	for i := range x.Rows {
		for c, v := range x.Row(i) {
			squares[c] += float64(v) * float64(v)
			if !(v > 0) {
				zeros[c]++
			}
		}
	}
}
