package vec

// ColumnSum adds the sums of the columns to sum: the gradient of a bias.
func ColumnSum[T Float](x Mat[T], sum []float64) {
	x.require(x.Rows, x.Cols)
	if x.empty() {
		return
	}
	sum = sum[:x.Cols]
	if k := simd[T](); k != nil {
		k.columnSum(ptr(x.Data), &sum[0], x.Rows, x.Cols, x.pitch())
		return
	}
	for i := range x.Rows {
		for c, v := range x.Row(i) {
			sum[c] += float64(v)
		}
	}
}
