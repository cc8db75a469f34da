package vec

import "unsafe"

// Axis is the geometry of a pooling along one spatial dimension: the inputs in each output's
// window, and the outputs whose windows contain each input. The windows of a pooling are the
// products of the windows of its two axes. An Axis is immutable and may be shared.
type Axis struct {
	In, Out int
	kernel  int       // taps of a whole window: the base of in-window indices
	start   []int     // start of each output's window, which may lie in the padding
	windows []span    // the inputs of each output's window, without padding
	cover   []span    // the outputs whose windows contain each input
	inverse []float64 // 1 / the divisor of each output's average
	forward []run     // the outputs in runs of equal windows
	reverse []run     // the inputs in runs of equal covers
}

// span is the half-open range [lo,hi).
type span struct{ lo, hi int }

// run is a sequence of n positions that are alike. Position i writes at dst+i·dstStep, and reads
// i·srcStep after the positions that the first one reads.
type run struct{ dst, n, dstStep, srcStep int }

// NewAxis returns the axis for windows of kernel taps, stride apart, over in elements between two
// margins of padding, with out outputs. out may be smaller than the number that fits, or larger by
// one in ceil mode; then the last window is clipped. With countPad an average divides by the number
// of taps in the image and padding, otherwise by the number in the image (PyTorch's
// count_include_pad).
func NewAxis(in, out, kernel, stride, before, after int, countPad bool) *Axis {
	a := &Axis{In: in, Out: out, kernel: kernel}
	for o := range out {
		lo := o*stride - before
		hi := min(lo+kernel, in+after)
		w := span{max(lo, 0), min(hi, in)}
		divisor := w.hi - w.lo
		if countPad {
			divisor = hi - lo
		}
		a.start = append(a.start, lo)
		a.windows = append(a.windows, w)
		a.inverse = append(a.inverse, 1/float64(divisor))
	}
	a.finish(stride, true)
	return a
}

// AdaptiveAxis returns the axis of PyTorch's adaptive pooling: output o averages the inputs from
// floor(o·in/out) to ceil((o+1)·in/out). With out = 1 it is global pooling. It works for averages
// only.
func AdaptiveAxis(in, out int) *Axis {
	a := &Axis{In: in, Out: out}
	for o := range out {
		w := span{o * in / out, ((o+1)*in + out - 1) / out}
		a.kernel = max(a.kernel, w.hi-w.lo)
		a.start = append(a.start, w.lo)
		a.windows = append(a.windows, w)
		a.inverse = append(a.inverse, 1/float64(w.hi-w.lo))
	}
	a.finish(1, false)
	return a
}

// finish derives the cover and the runs. Neither end of the windows ever decreases, so the outputs
// that contain an input are neighbours. With stride s, inputs that are s apart have covers that are
// one apart. If indexed is set, different in-window indices, which maxima need, separate runs of
// inputs.
func (a *Axis) finish(stride int, indexed bool) {
	a.cover = make([]span, a.In)
	for i := range a.cover {
		c := &a.cover[i]
		for c.lo < a.Out && a.windows[c.lo].hi <= i {
			c.lo++
		}
		c.hi = c.lo
		for c.hi < a.Out && a.windows[c.hi].lo <= i {
			c.hi++
		}
	}
	a.forward = runs(a.Out, 1, a.windows, func(o, p int) bool {
		return a.windows[o].lo-a.start[o] == a.windows[p].lo-a.start[p] && a.inverse[o] == a.inverse[p]
	})
	for phase := range min(stride, a.In) {
		for _, r := range runs((a.In-phase+stride-1)/stride, stride, a.cover[phase:], func(i, j int) bool {
			return a.sameTaps(i+phase, j+phase, indexed)
		}) {
			r.dst += phase
			a.reverse = append(a.reverse, r)
		}
	}
}

// sameTaps reports whether inputs i and j, with covers of equal length, have the same divisor. If
// indexed is set, they must also have the same in-window index in each window that covers them.
func (a *Axis) sameTaps(i, j int, indexed bool) bool {
	p, q := a.cover[i], a.cover[j]
	for k := range p.hi - p.lo {
		if indexed && i-a.start[p.lo+k] != j-a.start[q.lo+k] || a.inverse[p.lo+k] != a.inverse[q.lo+k] {
			return false
		}
	}
	return true
}

// runs splits the n positions 0, step, 2·step, ... into runs. The spans of a run have equal lengths
// and equal distances, and alike holds for neighbours.
func runs(n, step int, spans []span, alike func(p, q int) bool) []run {
	var out []run
	for i := 0; i < n; {
		r := run{dst: i * step, n: 1, dstStep: step}
		for i++; i < n; i++ {
			p, q := spans[(i-1)*step], spans[i*step]
			if p.hi-p.lo != q.hi-q.lo || !alike((i-1)*step, i*step) || r.n > 1 && q.lo-p.lo != r.srcStep {
				break
			}
			r.srcStep = q.lo - p.lo
			r.n++
		}
		out = append(out, r)
	}
	return out
}

// tap is one source of an output. src and code are its distances from the output's first source and
// first index.
type tap struct {
	src, code int     // offsets into the values and into the indices (backward); in bytes for assembly
	weight    float64 // of an average
	weight32  float32 // the same, for assembly
	index     int32   // in-window index of a maximum
}

// assembly returns the kernels for these taps and the taps in the kernels' format, or nil if there
// are none.
func assembly[T Float](taps []tap, cols int) (*kernels, *byte) {
	k := simd[T]()
	if k == nil || cols < 8 {
		return nil, nil
	}
	for i := range taps {
		taps[i].src *= 4
	}
	return k, (*byte)(unsafe.Pointer(unsafe.SliceData(taps)))
}
