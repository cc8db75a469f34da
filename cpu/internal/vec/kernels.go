package vec

// active is the set of assembly kernels that this machine runs, or nil. It is chosen once, before
// main.
var active = detect()

// kernels is the assembly of one instruction set. Rows, columns and counts are at least 1. Steps
// and strides (ld) are in bytes, and so are the offsets in taps. Pooling needs at least 8 columns.
// Arrays are indexed by bit(flag); comments name the flags, the outer index first.
type kernels struct {
	name  string
	lanes int // float32 in a vector

	scaleShift   [2]func(y, x, scale, shift *float32, rows, cols, ldy, ldx int) // clamp
	addShift     [2]func(y, x, shift *float32, rows, cols, ldy, ldx int)        // clamp
	relu         func(y, x *float32, rows, cols, ldy, ldx int)
	reluBackward [2]func(dx, dy, y *float32, rows, cols, lddx, lddy, ldy int) // acc
	add, copy    func(y, x *float32, rows, cols, ldy, ldx int)
	axpy, scale  func(y, x *float32, a float32, rows, cols, ldy, ldx int)
	fill         func(y *float32, a float32, rows, cols, ldy int)

	columnSum     func(x *float32, sum *float64, rows, cols, ldx int)
	channelSums   func(x *float32, sum, sumsq *float64, rows, cols, ldx int)
	probe         func(x *float32, squares, zeros *float64, rows, cols, ldx int)
	bnReduce      func(dy, x, mean, invstd *float32, dbeta, dgamma *float64, rows, cols, lddy, ldx int)
	bnReduceClamp func(dy, x, scale, shift, mean, invstd *float32, dbeta, dgamma *float64, rows, cols, lddy, ldx int)
	bnApply       [2]func(dx, dy, x, a, b, c *float32, rows, cols, lddx, lddy, ldx int)               // acc
	bnApplyClamp  [2]func(dx, dy, x, scale, shift, a, b, c *float32, rows, cols, lddx, lddy, ldx int) // acc

	maxRun      func(y, x *float32, taps *byte, ntaps, n, cols, yStep, xStep int)
	maxIndexRun func(y *float32, index *byte, x *float32, taps *byte, ntaps, n, cols, yStep, indexStep, xStep int)
	maxBackRun  [2]func(dx, dy *float32, index, taps *byte, ntaps, n, cols, dxStep, dyStep, indexStep int) // acc
	sumRun      [2]func(y, x *float32, taps *byte, ntaps, n, cols, yStep, xStep int)                       // acc

	lrnForward  func(y, s, x, terms *float32, k, alpha float32, rows, cols, ldy, lds, ldx int)
	lrnBackward [2]func(dx, dy, x, s, terms, scaled *float32, factor float32, rows, cols, lddx, lddy, ldx, lds int) // acc

	sgd        [2]func(w, g, buf *float32, lr, momentum, decay, scale float32, n int)                           // nesterov
	sgdEMA     [2]func(w, g, buf, ema *float32, lr, momentum, decay, scale, mix float32, n int)                 // nesterov
	rmsProp    [2]func(w, g, ms, buf *float32, lr, momentum, eps, decay, scale, fresh float32, n int)           // TensorFlow
	rmsPropEMA [2]func(w, g, ms, buf, ema *float32, lr, momentum, eps, decay, scale, fresh, mix float32, n int) // TensorFlow
	adamW      func(w, g, m, v *float32, keep, size, correct, eps, scale, fresh1, fresh2 float32, n int)
	adamWEMA   func(w, g, m, v, ema *float32, keep, size, correct, eps, scale, fresh1, fresh2, mix float32, n int)
	sumSquares func(g *float32, n int) float64                          // n groups of two vectors
	compare    func(a, b *float32, n int) (dot, squares, apart float64) // n groups of one vector

	normalize func(dst *float32, src *byte, scale, shift *float32, n int) // n groups of three vectors
}
