package conv

import "unsafe"

// goKernels are the micro-kernels in portable Go.
var goKernels = &kernels{
	isa:     Go,
	width:   [2]int{8, 4},
	rows:    4,
	tile:    [2]tileKernel{tileGo8, tileGo4},
	lowRows: 4,
	low:     [2]tileKernel{tileGo8, tileGo4},
	heights: []int{4},
	outer:   [][2]outerKernel{{outerGo8, outerGo4}},
	spread:  [][2]spreadKernel{{spreadGo8, spreadGo4}},
	colSum:  colSumGo,
	lanes:   1,
	addTo:   addToGo,
}

// at returns the address of p[i].
func at(p *float32, i int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*i)) }

// block is a tile of 4×4 sums, row by row.
type block [16]float32

// add adds the outer product of x0…x3 and b.
func (c *block) add(x0, x1, x2, x3 float32, b *[4]float32) {
	b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
	c[0] += x0 * b0
	c[1] += x0 * b1
	c[2] += x0 * b2
	c[3] += x0 * b3
	c[4] += x1 * b0
	c[5] += x1 * b1
	c[6] += x1 * b2
	c[7] += x1 * b3
	c[8] += x2 * b0
	c[9] += x2 * b1
	c[10] += x2 * b2
	c[11] += x2 * b3
	c[12] += x3 * b0
	c[13] += x3 * b1
	c[14] += x3 * b2
	c[15] += x3 * b3
}

func tileGo8(a *float32, rows *int, out *float32, outs *int, tiles int, runs *run, nruns int, b *float32, ep *float32, sums *float64, accumulate int) {
	tileGo(8, a, rows, out, outs, tiles, runs, nruns, b, ep, sums, accumulate)
}

func tileGo4(a *float32, rows *int, out *float32, outs *int, tiles int, runs *run, nruns int, b *float32, ep *float32, sums *float64, accumulate int) {
	tileGo(4, a, rows, out, outs, tiles, runs, nruns, b, ep, sums, accumulate)
}

func tileGo(width int, a *float32, rows *int, out *float32, outs *int, tiles int, runs *run, nruns int, b *float32, ep *float32, sums *float64, accumulate int) {
	rowOffsets, outOffsets, reduction := unsafe.Slice(rows, 4*tiles), unsafe.Slice(outs, 4*tiles), unsafe.Slice(runs, nruns)
	for t := range tiles {
		var left [4]*float32
		for i := range left {
			left[i] = at(a, rowOffsets[4*t+i]/4)
		}
		for j := 0; j < width; j += 4 {
			var c block
			right := j // pointers past the end are not allowed, so count instead
			for _, r := range reduction {
				for d := r[0] / 4; d < r[0]/4+r[1]; d++ {
					c.add(*at(left[0], d), *at(left[1], d), *at(left[2], d), *at(left[3], d), (*[4]float32)(unsafe.Pointer(at(b, right))))
					right += width
				}
			}
			edge{width: width, ep: ep, sums: sums, accumulate: accumulate != 0}.store(c[:], 4, 4, j, 4, out, outOffsets[4*t:])
		}
	}
}

func outerGo8(a, b *float32, pairs *pair, n int, c *float32, ldc int, accumulate int) {
	outerGo4(a, b, pairs, n, c, ldc, accumulate)
	outerGo4(a, at(b, 4), pairs, n, at(c, 4), ldc, accumulate)
}

func outerGo4(a, b *float32, pairs *pair, n int, c *float32, ldc int, accumulate int) {
	var sum block
	for _, p := range unsafe.Slice(pairs, n) {
		left := (*[4]float32)(unsafe.Pointer(at(a, int(p[0]))))
		sum.add(left[0], left[1], left[2], left[3], (*[4]float32)(unsafe.Pointer(at(b, int(p[1])))))
	}
	sum.store(c, ldc, accumulate)
}

func spreadGo8(a *float32, rows *int, b *float32, pairs *pair, n int, c *float32, ldc int, accumulate int) {
	spreadGo4(a, rows, b, pairs, n, c, ldc, accumulate)
	spreadGo4(a, rows, at(b, 4), pairs, n, at(c, 4), ldc, accumulate)
}

func spreadGo4(a *float32, rows *int, b *float32, pairs *pair, n int, c *float32, ldc int, accumulate int) {
	var sum block
	offsets := (*[4]int)(unsafe.Pointer(rows))
	r0, r1, r2, r3 := at(a, offsets[0]/4), at(a, offsets[1]/4), at(a, offsets[2]/4), at(a, offsets[3]/4)
	for _, p := range unsafe.Slice(pairs, n) {
		i := int(p[1])
		sum.add(*at(r0, i), *at(r1, i), *at(r2, i), *at(r3, i), (*[4]float32)(unsafe.Pointer(at(b, int(p[0])))))
	}
	sum.store(c, ldc, accumulate)
}

// store writes the sums to c, or adds them.
func (sum *block) store(c *float32, ldc int, accumulate int) {
	for i := range 4 {
		to := (*[4]float32)(unsafe.Pointer(at(c, i*ldc)))
		for j, v := range sum[4*i : 4*i+4] {
			if accumulate != 0 {
				v += to[j]
			}
			to[j] = v
		}
	}
}

func colSumGo(a *float32, ld, n int, sums *float64) {
	var sum float32
	for i := range n {
		sum += *at(a, i*ld)
	}
	*sums += float64(sum)
}

func addToGo(dst, src *float32, n int) {
	to := unsafe.Slice(dst, n)
	for i, v := range unsafe.Slice(src, n) {
		to[i] += v
	}
}
