package conv

// If the input has few channels, such as the three of an image, vectors along them would be half
// empty. Then the operands change roles: tiles have the weights of all taps as rows, whose inputs
// lie anywhere (spreadKernel), and filters as columns. The sums are transposed; the second stage
// transposes them back.

// spreadFilters is the number of filters whose sums one task of the second stage adds up.
const spreadFilters = 8

// filters returns the number of filters of all segments.
func (f *filter) filters() int {
	n := 0
	for i := range f.segs {
		n += f.segs[i].K
	}
	return n
}

// planSpread decides whether the operands change roles, by the number of values that tiles of
// either kind compute.
func (f *filter) planSpread() {
	rows, columns := f.e.kern.quantum()
	weights := f.taps * f.tapWidth
	usual, spread := 0, 0
	for i := range f.segs {
		usual += roundUp(f.segs[i].K, rows) * f.taps * f.padded
		spread += roundUp(f.segs[i].K, columns) * roundUp(weights, rows)
	}
	f.spread = f.dense && 10*spread < 9*usual
	if !f.spread {
		return
	}
	f.elements = f.elements[:0]
	for i := range roundUp(weights, rows) {
		tap, j := i/f.tapWidth, i%f.tapWidth
		if i >= weights {
			tap, j = 0, 0 // computed, but not used
		}
		f.elements = append(f.elements, 4*(tap*f.denseCols()*f.g.C+j))
	}
}

// runSpread is a task: it sums one chunk of pixels for all weights.
func (f *filter) runSpread(chunk, worker int) {
	l, kern := &f.e.locals[worker], f.e.kern
	from, end := chunk*f.chunkPixels, min(f.g.pixels(), (chunk+1)*f.chunkPixels)
	for first := from; first < end; first += listPixels {
		acc := 0
		if first > from {
			acc = 1
		}
		for s := range f.grads {
			gr := &f.grads[s]
			out := f.partial[chunk*f.partialSize+gr.partial:]
			n := f.listPairs(0, first, min(end, first+listPixels), gr.ld, l.pairs)
			for k := 0; k < gr.k; {
				wide := 0
				if gr.k-k < kern.width[0] {
					wide = 1
				}
				for i, h := 0, 0; i < len(f.elements); i += kern.heights[h] {
					for kern.heights[h] > len(f.elements)-i {
						h++
					}
					kern.spread[h][wide](&f.xMem[0], &f.elements[i], at(&gr.dy[0], k), &l.pairs[0], n, &out[i*gr.k+k], gr.k, acc)
				}
				k += kern.width[wide]
			}
		}
	}
}

// gatherSpread is a task of the second stage: it adds the chunks' sums of some filters and
// transposes them.
func (f *filter) gatherSpread(task, _ int) {
	weights := f.taps * f.tapWidth
	first := 0
	for i := range f.segs {
		s, gr := &f.segs[i], &f.grads[i]
		k0, k1 := max(0, task*spreadFilters-first), min(s.K, (task+1)*spreadFilters-first)
		first += s.K
		if k0 >= k1 {
			continue
		}
		for w := range weights {
			var sums [spreadFilters]float32
			for c := range f.chunks {
				for j, v := range f.partial[c*f.partialSize+gr.partial+w*gr.k+k0:][:k1-k0] {
					sums[j] += v
				}
			}
			for j, v := range sums[:k1-k0] {
				to := &s.DW[(k0+j)*weights+w]
				if f.accumulate {
					v += *to
				}
				*to = v
			}
		}
	}
}
