package augment

import (
	"math"
	"slices"
)

// weightBits is the precision of a filter's weights in bits, as in Pillow.
const weightBits = 32 - 8 - 2

//go:generate go run -C ../tools/avo ./resample -out ../../augment/resample_amd64.s -stubs ../../augment/resample_amd64.go -pkg augment

// Resampler resizes images with a filter that widens with the scale (antialiasing), columns first
// or rows first, each rounded to a byte. The result equals that of Pillow's resize in the same
// order bit for bit, and so torchvision's Resize on PIL images. A Resampler keeps its tables and
// its memory. The zero value is ready for use, on one goroutine.
type Resampler struct {
	cols, rows taps
	middle     []byte // (region's rows, stride): rows that are resized horizontally
	restrict   bool   // use only kernels, for tests; otherwise use the machine's
	kernels    []kernels
}

// Render makes an image of h×w pixels of c channels from a recipe that Check has accepted.
func (s *Resampler) Render(dst []byte, h, w, c int, r *Recipe, regions []byte) {
	s.RenderFrom(dst, h, w, c, r, regions[r.Offset:], r.Cols.Region*c)
}

// RenderFrom is Render for a region whose rows are pitch bytes apart.
func (s *Resampler) RenderFrom(dst []byte, h, w, c int, r *Recipe, region []byte, pitch int) {
	s.Resample(dst, h, w, c, region, pitch, r.Rows, r.Cols)
	for _, a := range r.Adjust {
		a.Apply(dst, c)
	}
	r.Patch.Fill(dst, w, c)
}

// Resample fills dst, h×w pixels of c channels, from a region whose rows are pitch bytes apart. For
// each channel it makes rows.Region·w·(horizontal taps) + h·w·(vertical taps) multiplications.
// There are about 2·max(1, Cut/Size) taps.
func (s *Resampler) Resample(dst []byte, h, w, c int, region []byte, pitch int, rows, cols Axis) {
	s.cols.set(cols, w)
	s.rows.set(rows, h)
	n := w * c
	stride := n + pastRow
	// Kernels read one more row, with a weight of zero.
	s.middle = slices.Grow(s.middle[:0], (rows.Region+1)*stride)[:(rows.Region+1)*stride]
	pass := s.across(s.middle, stride, region, pitch, c, rows.Region)
	for y := range h { // rows are resized shortly before they are needed, so that they are in the nearest cache
		if need := s.rows.start[y] + s.rows.count[y]; need > pass.done {
			pass.until(min(max(need, pass.done+rowsAtOnce), rows.Region))
		}
		s.down(dst[y*n:][:n], s.middle, stride, y)
	}
}

// ResampleRows is Resample with the rows first. It makes h·cols.Region·(vertical taps) +
// h·w·(horizontal taps) multiplications for each channel.
func (s *Resampler) ResampleRows(dst []byte, h, w, c int, region []byte, pitch int, rows, cols Axis) {
	s.cols.set(cols, w)
	s.rows.set(rows, h)
	n, stride := cols.Region*c, w*c+pastRow
	s.middle = slices.Grow(s.middle[:0], h*n+h*stride)[:h*n+h*stride]
	middle, padded := s.middle[:h*n], s.middle[h*n:]
	for y := range h {
		s.down(middle[y*n:][:n], region, pitch, y)
	}
	pass := s.across(padded, stride, middle, n, c, h)
	pass.until(h)
	for y := range h {
		copy(dst[y*w*c:][:w*c], padded[y*stride:])
	}
}

// rowsAtOnce is the number of rows that are resized before the columns continue.
const rowsAtOnce = 8

// across is a pass that resizes rows of in, pitch bytes apart, to rows of out, stride bytes apart.
type across struct {
	s             *Resampler
	out, in       []byte
	stride, pitch int
	c             int
	fast          int // number of rows that kernels may read
	done          int // number of rows done
}

func (s *Resampler) across(out []byte, stride int, in []byte, pitch, c, rows int) across {
	p := across{s: s, out: out, stride: stride, in: in, pitch: pitch, c: c}
	if c == 3 {
		p.fast = s.cols.prepareRows3(s.machine(), in, pitch, rows)
	}
	return p
}

// until resizes all rows before row end.
func (p *across) until(end int) {
	t := &p.s.cols
	if to := min(end, p.fast); to > p.done {
		p.done = t.resizeRows3(p.s.machine(), p.out, p.stride, p.in, p.pitch, p.done, to)
	}
	for ; p.done < end; p.done++ {
		in, out := p.in[p.done*p.pitch:][:t.axis.Region*p.c], p.out[p.done*p.stride:][:t.out*p.c]
		if p.c == 3 {
			t.row3(out, in)
		} else {
			t.row(out, in, p.c)
		}
	}
}

// down computes row y of the image from rows of in, stride bytes apart.
func (s *Resampler) down(out, in []byte, stride, y int) {
	if !s.rows.kernelColumn(s.machine(), out, in, stride, y) {
		s.rows.column(out, in, stride, y)
	}
}

// machine returns the kernels that s uses.
func (s *Resampler) machine() []kernels {
	if s.restrict {
		return s.kernels
	}
	return machine
}

// pastRow is the number of bytes that kernels write past a row of pixels.
const pastRow = 3*3 + 4

// taps are the weights of each output position over the pixels of a region.
type taps struct {
	axis   Axis
	out    int
	start  []int   // (out): first pixel of the region
	count  []int   // (out): number of pixels; 0 if the output is black
	weight []int32 // (out, most): in units of 2^-weightBits
	most   int     // maximum possible count
	exact  []float64
	packed packedTaps
}

// set computes the weights for out positions.
func (t *taps) set(a Axis, out int) {
	if t.axis == a && t.out == out {
		return
	}
	t.axis, t.out = a, out
	t.packed.valid = false
	t.most = 1
	if a.From < a.To {
		t.most = 2*int(math.Ceil(a.Filter.radius()*max(float64(a.Cut)/float64(a.Size), 1))) + 1
	}
	t.start, t.count = slices.Grow(t.start[:0], out)[:out], slices.Grow(t.count[:0], out)[:out]
	t.weight = slices.Grow(t.weight[:0], out*t.most)[:out*t.most]
	t.exact = slices.Grow(t.exact[:0], t.most)[:t.most]
	for i := range out {
		t.start[i], t.count[i] = 0, 0
		p, seen := a.position(i, out)
		if !seen {
			continue
		}
		first, end := a.Filter.Span(a.Cut, a.Size, p)
		w := t.weight[i*t.most:][:end-first]
		a.Filter.weights(w, t.exact, first, a.Cut, a.Size, p)
		for len(w) > 0 && w[len(w)-1] == 0 {
			w = w[:len(w)-1]
		}
		if a.MirrorCut {
			first = a.Cut - first - len(w)
			slices.Reverse(w)
		}
		first -= a.At
		if lo, hi := max(0, -first), min(len(w), a.Region-first); lo < hi {
			t.start[i], t.count[i] = first+lo, hi-lo
			copy(w, w[lo:hi])
		}
	}
}

// row resizes one row of pixels of c channels.
func (t *taps) row(out, in []byte, c int) {
	for i := range t.out {
		weight := t.weight[i*t.most:][:t.count[i]]
		for ch := range c {
			sum, at := int32(1<<(weightBits-1)), t.start[i]*c+ch
			for _, w := range weight {
				sum += w * int32(in[at])
				at += c
			}
			out[i*c+ch] = toByte(sum)
		}
	}
}

// row3 is row for three channels, with each weight read once.
func (t *taps) row3(out, in []byte) {
	for i := range t.out {
		weight := t.weight[i*t.most:][:t.count[i]]
		pix := in[3*t.start[i]:][:3*len(weight)]
		r, g, b := int32(1<<(weightBits-1)), int32(1<<(weightBits-1)), int32(1<<(weightBits-1))
		for _, w := range weight {
			r += w * int32(pix[0])
			g += w * int32(pix[1])
			b += w * int32(pix[2])
			pix = pix[3:]
		}
		out[3*i], out[3*i+1], out[3*i+2] = toByte(r), toByte(g), toByte(b)
	}
}

// column computes output row y from rows of in, which are stride bytes apart and as long as out.
func (t *taps) column(out, in []byte, stride, y int) {
	weight := t.weight[y*t.most:][:t.count[y]]
	rows := in[t.start[y]*stride:]
	for i := range out {
		sum, at := int32(1<<(weightBits-1)), i
		for _, w := range weight {
			sum += w * int32(rows[at])
			at += stride
		}
		out[i] = toByte(sum)
	}
}

// toByte returns sum / 2^weightBits, limited to a byte.
func toByte(sum int32) byte {
	return byte(min(max(sum>>weightBits, 0), 255))
}
