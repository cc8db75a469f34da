package dataset

import "math"

// box is a rectangle of pixels: rows [y, y+h), columns [x, x+w).
type box struct{ y, x, h, w int }

// weightBits is the precision of a filter's weights, as in Pillow.
const weightBits = 32 - 8 - 2

// resampler resizes images by a triangle filter that widens with the scale
// ("bilinear" with antialiasing), columns first: bit for bit what Pillow's resize
// does, and so torchvision's Resize on PIL images. It keeps its tables and its
// memory.
type resampler struct {
	cols, rows taps
	middle     []byte // (rows in use, out width, C): resized horizontally
}

// resize fills dst from the pixels of src in b. It costs, for each channel, a
// number of multiplications of b.h·dst.W·(horizontal taps) + dst.H·dst.W·(vertical
// taps), where there are about 2·max(1, in/out) taps.
func (s *resampler) resize(dst, src *Image, b box) {
	s.cols.set(b.w, dst.W)
	s.rows.set(b.h, dst.H)
	c, stride := src.C, dst.W*src.C
	if n := b.h * stride; cap(s.middle) < n {
		s.middle = make([]byte, n)
	}
	middle := s.middle[:b.h*stride]
	for y := range b.h {
		in := src.Pix[((b.y+y)*src.W+b.x)*c:][:b.w*c]
		out := middle[y*stride:][:stride]
		if c == 3 {
			s.cols.row3(out, in)
		} else {
			s.cols.row(out, in, c)
		}
	}
	for y := range dst.H {
		s.rows.column(dst.Pix[y*stride:][:stride], middle, y)
	}
}

// taps are the weights of each output position over the input positions.
type taps struct {
	in, out int
	start   []int   // (out): first input position
	count   []int   // (out): input positions
	weight  []int32 // (out, most): in units of 2^-weightBits
	most    int     // largest count possible
}

// set computes the weights for in → out positions.
func (t *taps) set(in, out int) {
	if t.in == in && t.out == out {
		return
	}
	scale := float64(in) / float64(out)
	radius := max(scale, 1) // half the triangle's base
	t.in, t.out = in, out
	t.most = 2*int(math.Ceil(radius)) + 1
	if cap(t.start) < out {
		t.start, t.count = make([]int, out), make([]int, out)
	}
	if cap(t.weight) < out*t.most {
		t.weight = make([]int32, out*t.most)
	}
	t.start, t.count, t.weight = t.start[:out], t.count[:out], t.weight[:out*t.most]

	exact := make([]float64, t.most)
	for i := range out {
		centre := (float64(i) + 0.5) * scale
		first := max(0, int(centre-radius+0.5))
		n := min(in, int(centre+radius+0.5)) - first
		var sum float64
		for k := range n {
			exact[k] = max(0, 1-math.Abs((float64(first+k)+0.5-centre)/radius))
			sum += exact[k]
		}
		t.start[i], t.count[i] = first, n
		for k := range n {
			t.weight[i*t.most+k] = int32(math.Round(exact[k] / sum * (1 << weightBits)))
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

// column computes output row y from the rows of in, each as long as out.
func (t *taps) column(out, in []byte, y int) {
	n := len(out)
	weight := t.weight[y*t.most:][:t.count[y]]
	rows := in[t.start[y]*n:][:len(weight)*n]
	for i := range out {
		sum, at := int32(1<<(weightBits-1)), i
		for _, w := range weight {
			sum += w * int32(rows[at])
			at += n
		}
		out[i] = toByte(sum)
	}
}

// toByte is sum / 2^weightBits limited to a byte.
func toByte(sum int32) byte {
	return byte(min(max(sum>>weightBits, 0), 255))
}
