package vec

// AvgPool computes rows [oy0,oy1) of the average pooling of one image: y[o] = Σ x over o's window /
// divisor. x is (h.In·w.In)×C and y is (h.Out·w.Out)×C. The axes define the windows; the divisor of
// a window is the product of the divisors of the axes. Use NewAxis for ordinary pooling,
// AdaptiveAxis for adaptive and global pooling.
func AvgPool[T Float](y, x Mat[T], h, w *Axis, oy0, oy1 int) {
	y.require(h.Out*w.Out, x.Cols)
	x.require(h.In*w.In, x.Cols)
	if x.empty() {
		return
	}
	taps := make([]tap, 0, h.kernel*w.kernel)
	for oy := oy0; oy < oy1; oy++ {
		wy := h.windows[oy]
		for _, r := range w.forward {
			wx := w.windows[r.dst]
			weight := h.inverse[oy] * w.inverse[r.dst]
			taps = taps[:0]
			for iy := wy.lo; iy < wy.hi; iy++ {
				for ix := wx.lo; ix < wx.hi; ix++ {
					taps = append(taps, tap{
						src:    ((iy-wy.lo)*w.In + ix - wx.lo) * x.Stride,
						weight: weight, weight32: float32(weight),
					})
				}
			}
			first := 0
			if len(taps) > 0 { // otherwise the window has padding only
				first = wy.lo*w.In + wx.lo
			}
			yr := y.Data[(oy*w.Out+r.dst)*y.Stride:]
			sumRun(yr, r.dstStep*y.Stride, x.Data[first*x.Stride:], r.srcStep*x.Stride, taps, r.n, x.Cols, false)
		}
	}
}

// AvgPoolBackward computes rows [iy0,iy1) of one image's gradient dx = Σ dy[o] / divisor[o], over
// the windows o that contain the input, in row-major order. If acc is set it adds to dx.
func AvgPoolBackward[T Float](dx, dy Mat[T], h, w *Axis, iy0, iy1 int, acc bool) {
	dx.require(h.In*w.In, dy.Cols)
	dy.require(h.Out*w.Out, dy.Cols)
	if dy.empty() {
		return
	}
	var taps []tap
	for iy := iy0; iy < iy1; iy++ {
		cy := h.cover[iy]
		for _, r := range w.reverse {
			cx := w.cover[r.dst]
			taps = taps[:0]
			for oy := cy.lo; oy < cy.hi; oy++ {
				for ox := cx.lo; ox < cx.hi; ox++ {
					weight := h.inverse[oy] * w.inverse[ox]
					taps = append(taps, tap{
						src:    ((oy-cy.lo)*w.Out + ox - cx.lo) * dy.Stride,
						weight: weight, weight32: float32(weight),
					})
				}
			}
			first := 0
			if len(taps) > 0 {
				first = cy.lo*w.Out + cx.lo
			}
			dxr := dx.Data[(iy*w.In+r.dst)*dx.Stride:]
			sumRun(dxr, r.dstStep*dx.Stride, dy.Data[first*dy.Stride:], r.srcStep*dy.Stride, taps, r.n, dy.Cols, acc)
		}
	}
}

// sumRun computes n outputs y = Σ weight·x over the same taps, or adds them to y.
func sumRun[T Float](y []T, yStep int, x []T, xStep int, taps []tap, n, cols int, acc bool) {
	if k, t := assembly[T](taps, cols); k != nil {
		k.sumRun[bit(acc)](ptr(y), ptr(x), t, len(taps), n, cols, 4*yStep, 4*xStep)
		return
	}
	for p := range n {
		yr := y[p*yStep:][:cols]
		if !acc {
			clear(yr)
		}
		for _, t := range taps {
			weight := T(t.weight)
			for c, v := range x[p*xStep+t.src:][:cols] {
				yr[c] += weight * v
			}
		}
	}
}
