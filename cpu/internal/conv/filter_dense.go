package conv

// denseRows and denseCols are the height and width of an image in the dense padded copy of the
// input.
func (f *filter) denseRows() int { return (f.g.P-1)*f.g.StrideH + f.g.R }
func (f *filter) denseCols() int { return (f.g.Q-1)*f.g.StrideW + f.g.S }

// copies returns the number of tasks that make dense copies: one for each image of the input, if it
// is copied, and one for each image of each segment. It allocates the input's copy.
func (f *filter) copies() int {
	n := 0
	for i := range f.segs {
		if f.grads[i].k != f.segs[i].K {
			n = f.g.N * len(f.segs)
		}
	}
	if f.dense {
		// kernels read whole vectors, so past the last pixel
		grow(&f.xMem, f.g.N*f.denseRows()*f.denseCols()*f.g.C+f.padded+f.e.kern.width[0])
		n = f.g.N * (len(f.segs) + 1)
	}
	return n
}

// copyDense is a task: it copies one image, of a segment's output gradient or of the input.
func (f *filter) copyDense(task, _ int) {
	g := &f.g
	seg, n := task/g.N, task%g.N
	if seg < len(f.segs) {
		if s, gr := &f.segs[seg], &f.grads[seg]; gr.k != s.K {
			p := g.P * g.Q
			copyPixels(gr.dy[n*p*s.K:], s.K, s.Y[n*p*s.LdY:], s.LdY, s.K, p)
		}
		return
	}
	rows, cols := f.denseRows(), f.denseCols()
	image := f.xMem[n*rows*cols*g.C:][:rows*cols*g.C]
	left := min(g.PadLeft, cols)
	right := max(left, min(cols, g.W+g.PadLeft))
	for y := range rows {
		line := image[y*cols*g.C:][:cols*g.C]
		in := y - g.PadTop
		if in < 0 || in >= g.H {
			clear(line)
			continue
		}
		clear(line[:left*g.C])
		clear(line[right*g.C:])
		if right > left {
			copyPixels(line[left*g.C:], g.C, f.x[((n*g.H+in)*g.W+left-g.PadLeft)*f.ldx:], f.ldx, g.C, right-left)
		}
	}
}
