package vec

// ScaleShift computes y[i,c] = x[i,c]·scale[c] + shift[c] with one rounding, then max(·, 0) if clamp: batch normalisation once
// its statistics are folded, or a bias where scale is nil. y may be x.
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

// ReLUBackward computes g = (y <= 0 ? 0 : dy) and stores dx = g or, if acc, adds dx += g. y is the output of the forward pass
// (its input does as well). A NaN in y lets the gradient through, as in PyTorch. dx may be dy.
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
