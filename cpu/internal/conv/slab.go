package conv

// source is channels of an image: n values for each pixel, pixels ld apart.
type source struct {
	data []float32
	ld   int
	n    int
}

// view is the images (n, h, w) that are read: the channels of all sources, side by side.
type view struct {
	n, h, w int
	src     []source
	c       int // channels of all sources together
}

func (v *view) reset(n, h, w int) { v.n, v.h, v.w, v.src, v.c = n, h, w, v.src[:0], 0 }

func (v *view) add(data []float32, ld, n int) {
	v.src = append(v.src, source{data, ld, n})
	v.c += n
}

// patches is a grid of rows×cols patches in each image of a view. Patch (p, q) has the tapsH×tapsW
// pixels from (p·stepH+offH, q·stepW+offW) on; pixels outside the image are zero. Patches are read
// in place if direct is set. Otherwise the image rows of a task's patches are first copied into a
// slab in the cache, with padding and with the channels of all sources together.
type patches struct {
	rows, cols   int
	tapsH, tapsW int
	stepH, stepW int
	offH, offW   int
	direct       bool
}

// inside reports whether no patch reads outside the view's images and there is one source: then
// direct may be set.
func (g *patches) inside(v *view) bool {
	return len(v.src) == 1 && g.offH >= 0 && g.offW >= 0 &&
		(g.rows-1)*g.stepH+g.offH+g.tapsH <= v.h && (g.cols-1)*g.stepW+g.offW+g.tapsW <= v.w
}

// layout returns the distance in values between pixels, and between rows, of the memory that
// patches are read from.
func (g *patches) layout(v *view) (pixel, row int) {
	if g.direct {
		return v.src[0].ld, v.src[0].ld * v.w
	}
	return v.c, v.c * g.slabCols()
}

// slabCols returns the width of a slab.
func (g *patches) slabCols() int { return (g.cols-1)*g.stepW + max(g.tapsW, 1) }

// slabRows returns the height of a slab for the patch rows from…to of an image.
func (g *patches) slabRows(from, to int) int { return (to-from)*g.stepH + g.tapsH }

// slabSize returns the number of values in the slab of patches from…to−1.
func (g *patches) slabSize(v *view, from, to int) int {
	if g.direct {
		return 0
	}
	rows := 0
	for image := g.rows * g.cols; from < to; {
		last := min(to, (from/image+1)*image) - 1
		rows += g.slabRows(from%image/g.cols, last%image/g.cols)
		from = last + 1
	}
	return rows * g.slabCols() * v.c
}

// gather prepares patches from…to−1. It sets l.rows to the byte offsets of their first pixels from
// the returned address, and fills the slab if they are not read in place.
func (g *patches) gather(v *view, from, to int, l *local) *float32 {
	image := g.rows * g.cols
	pixel, line := g.layout(v)
	origin, i := 0, 0
	for at := from; at < to; {
		n, end := at/image, min(to, (at/image+1)*image)
		row, lastRow := at%image/g.cols, (end-1)%image/g.cols
		if g.direct {
			origin = (n*v.h+row*g.stepH+g.offH)*line + g.offW*pixel
		}
		for r := row; r <= lastRow; r++ {
			q, qEnd := 0, g.cols
			if r == row {
				q = at % g.cols
			}
			if r == lastRow {
				qEnd = (end-1)%g.cols + 1
			}
			off, step := 4*(origin+(r-row)*g.stepH*line+q*g.stepW*pixel), 4*g.stepW*pixel
			for out := l.rows[i : i+qEnd-q]; len(out) > 0; out = out[1:] {
				out[0] = off
				off += step
			}
			i += qEnd - q
		}
		if !g.direct {
			rows := g.slabRows(row, lastRow)
			g.fillSlab(v, n, row*g.stepH+g.offH, rows, l.slab[origin:origin+rows*line])
			origin += rows * line
		}
		at = end
	}
	if g.direct {
		return &v.src[0].data[0]
	}
	return &l.slab[0]
}

// fillSlab copies rows top … top+rows−1 of image n to a slab. Values outside the image are zero.
func (g *patches) fillSlab(v *view, n, top, rows int, slab []float32) {
	cols, c := g.slabCols(), v.c
	left := min(max(-g.offW, 0), cols)        // columns of zeros on the left
	right := max(min(cols, v.w-g.offW), left) // where the zeros on the right begin
	for y := top; y < top+rows; y++ {
		line := slab[:cols*c]
		slab = slab[cols*c:]
		if y < 0 || y >= v.h || left == right {
			clear(line)
			continue
		}
		clear(line[:left*c])
		clear(line[right*c:])
		at, pix := 0, (n*v.h+y)*v.w+g.offW+left
		for i := range v.src {
			src := &v.src[i]
			copyPixels(line[left*c+at:right*c], c, src.data[pix*src.ld:], src.ld, src.n, right-left)
			at += src.n
		}
	}
}

// copyPixels copies n values of each pixel of a row.
func copyPixels(dst []float32, ldd int, src []float32, lds, n, pixels int) {
	if ldd == n && lds == n {
		copy(dst[:n*pixels], src[:n*pixels])
		return
	}
	for i := range pixels {
		copy(dst[i*ldd:i*ldd+n], src[i*lds:i*lds+n])
	}
}
