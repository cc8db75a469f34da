package vec

// ReLU computes y = max(x, 0); NaN stays NaN, as in PyTorch. y may be x.
func ReLU[T Float](y, x Mat[T]) {
	y.require(x.Rows, x.Cols)
	x.require(x.Rows, x.Cols)
	if k := simd[T](); k != nil && !x.empty() {
		rows, cols := extent(y, x)
		k.relu(ptr(y.Data), ptr(x.Data), rows, cols, y.pitch(), x.pitch())
		return
	}
	for i := range x.Rows {
		yr, xr := y.Row(i), x.Row(i)
		for c, v := range xr {
			yr[c] = relu(v)
		}
	}
}

// ReLUBackward computes g = (y <= 0 ? 0 : dy). It stores dx = g, or adds dx += g if acc is set. y
// is the output of the forward pass, or its input. Where y is NaN the gradient passes, as in
// PyTorch. dx may be dy.
func ReLUBackward[T Float](dx, dy, y Mat[T], acc bool) {
	dx.require(dy.Rows, dy.Cols)
	dy.require(dy.Rows, dy.Cols)
	y.require(dy.Rows, dy.Cols)
	if k := simd[T](); k != nil && !dy.empty() {
		rows, cols := extent(dx, dy, y)
		k.reluBackward[bit(acc)](ptr(dx.Data), ptr(dy.Data), ptr(y.Data), rows, cols, dx.pitch(), dy.pitch(), y.pitch())
		return
	}
	for i := range dy.Rows {
		dxr, dyr, yr := dx.Row(i), dy.Row(i), y.Row(i)
		for c, g := range dyr {
			if yr[c] <= 0 {
				g = 0
			}
			if acc {
				g += dxr[c]
			}
			dxr[c] = g
		}
	}
}
