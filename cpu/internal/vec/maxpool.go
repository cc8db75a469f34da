package vec

// MaxPool computes rows [oy0,oy1) of the max pooling of one image. x is (h.In·w.In)×C; y and index
// are (h.Out·w.Out)×C. y is the maximum of each window over the image; padding is never the
// maximum. index is the row-major position of the maximum in the whole window, the first of equal
// values. A NaN is larger than every number (the last NaN counts, as in PyTorch). Windows have at
// most 256 taps. If index.Data is nil, the indices are not stored. The result of a window with
// padding only is 0.
func MaxPool[T Float](y Mat[T], index Mat[uint8], x Mat[T], h, w *Axis, oy0, oy1 int) {
	y.require(h.Out*w.Out, x.Cols)
	x.require(h.In*w.In, x.Cols)
	if x.empty() {
		return
	}
	keep := index.Data != nil
	if keep {
		index.require(y.Rows, y.Cols)
	}
	taps := make([]tap, 0, h.kernel*w.kernel)
	for oy := oy0; oy < oy1; oy++ {
		wy := h.windows[oy]
		for _, r := range w.forward {
			wx := w.windows[r.dst]
			taps = taps[:0]
			for iy := wy.lo; iy < wy.hi; iy++ {
				for ix := wx.lo; ix < wx.hi; ix++ {
					taps = append(taps, tap{
						src:   ((iy-wy.lo)*w.In + ix - wx.lo) * x.Stride,
						index: int32((iy-h.start[oy])*w.kernel + ix - w.start[r.dst]),
					})
				}
			}
			if len(taps) == 0 { // the window has padding only
				Fill(y.RowRange(oy*w.Out+r.dst, oy*w.Out+r.dst+r.n), 0)
				continue
			}
			yr := y.Data[(oy*w.Out+r.dst)*y.Stride:]
			xr := x.Data[(wy.lo*w.In+wx.lo)*x.Stride:]
			var ir []uint8
			if keep {
				ir = index.Data[(oy*w.Out+r.dst)*index.Stride:]
			}
			maxRun(yr, r.dstStep*y.Stride, ir, r.dstStep*index.Stride, xr, r.srcStep*x.Stride, taps, r.n, x.Cols)
		}
	}
}

// maxRun is MaxPool for n outputs whose windows have the same taps.
func maxRun[T Float](y []T, yStep int, index []uint8, indexStep int, x []T, xStep int, taps []tap, n, cols int) {
	if k, t := assembly[T](taps, cols); k != nil {
		if index == nil {
			k.maxRun(ptr(y), ptr(x), t, len(taps), n, cols, 4*yStep, 4*xStep)
		} else {
			k.maxIndexRun(ptr(y), &index[0], ptr(x), t, len(taps), n, cols, 4*yStep, indexStep, 4*xStep)
		}
		return
	}
	for p := range n {
		yr := y[p*yStep:][:cols]
		copy(yr, x[p*xStep+taps[0].src:])
		var ir []uint8
		if index != nil {
			ir = index[p*indexStep:][:cols]
			for c := range ir {
				ir[c] = uint8(taps[0].index)
			}
		}
		for _, t := range taps[1:] {
			for c, v := range x[p*xStep+t.src:][:cols] {
				if v > yr[c] || v != v {
					yr[c] = v
					if ir != nil {
						ir[c] = uint8(t.index)
					}
				}
			}
		}
	}
}

// MaxPoolBackward computes rows [iy0,iy1) of one image's gradient dx, (h.In·w.In)×C, from dy and
// the indices of the forward pass. dx is the sum of dy over the windows whose maximum is at the
// input, in row-major order of the windows; if acc is set it is added to dx. Every input gathers
// from the windows that contain it, so rows can run in parallel.
func MaxPoolBackward[T Float](dx, dy Mat[T], index Mat[uint8], h, w *Axis, iy0, iy1 int, acc bool) {
	dx.require(h.In*w.In, dy.Cols)
	dy.require(h.Out*w.Out, dy.Cols)
	if dy.empty() {
		return
	}
	index.require(dy.Rows, dy.Cols)
	var taps []tap
	for iy := iy0; iy < iy1; iy++ {
		cy := h.cover[iy]
		for _, r := range w.reverse {
			cx := w.cover[r.dst]
			taps = taps[:0]
			for oy := cy.lo; oy < cy.hi; oy++ {
				for ox := cx.lo; ox < cx.hi; ox++ {
					at := (oy-cy.lo)*w.Out + ox - cx.lo
					taps = append(taps, tap{
						src:   at * dy.Stride,
						code:  at * index.Stride,
						index: int32((iy-h.start[oy])*w.kernel + r.dst - w.start[ox]),
					})
				}
			}
			first := 0
			if len(taps) > 0 { // otherwise no window contains the input, and first may be out of range
				first = cy.lo*w.Out + cx.lo
			}
			dxr := dx.Data[(iy*w.In+r.dst)*dx.Stride:]
			dyr := dy.Data[first*dy.Stride:]
			ir := index.Data[first*index.Stride:]
			maxBackRun(dxr, r.dstStep*dx.Stride, dyr, r.srcStep*dy.Stride, ir, r.srcStep*index.Stride, taps, r.n, dy.Cols, acc)
		}
	}
}

// maxBackRun is MaxPoolBackward for n inputs that windows cover in the same way.
func maxBackRun[T Float](dx []T, dxStep int, dy []T, dyStep int, index []uint8, indexStep int, taps []tap, n, cols int, acc bool) {
	if k, t := assembly[T](taps, cols); k != nil {
		k.maxBackRun[bit(acc)](ptr(dx), ptr(dy), &index[0], t, len(taps), n, cols, 4*dxStep, 4*dyStep, indexStep)
		return
	}
	for p := range n {
		dxr := dx[p*dxStep:][:cols]
		if !acc {
			clear(dxr)
		}
		for _, t := range taps {
			dyr := dy[p*dyStep+t.src:][:cols]
			for c, i := range index[p*indexStep+t.code:][:cols] {
				if int32(i) == t.index {
					dxr[c] += dyr[c]
				}
			}
		}
	}
}
