package conv

import "unsafe"

// edge does the end of a tile kernel's work in Go: for the tiles at the ragged edges, which the
// kernels compute into separate memory, and for the portable kernels.
type edge struct {
	width      int // of the tile
	ep         *float32
	sums       *float64
	accumulate bool
}

// store finishes rows×n raw values, ld apart, and stores them from column j on at the outputs of
// their rows.
func (e edge) store(vals []float32, ld, rows, j, n int, out *float32, outs []int) {
	for c := range n {
		col := j + c
		scale, shift, floor := float32(1), float32(0), float32(0)
		if e.ep != nil {
			scale, shift, floor = *at(e.ep, col), *at(e.ep, e.width+col), *at(e.ep, 2*e.width+col)
		}
		var sum, square float32
		for i := range rows {
			to := at(out, outs[i]/4+col)
			v := vals[i*ld+c]
			if e.accumulate {
				v += *to
			}
			sum += v
			square += v * v
			if e.ep != nil {
				if v = v*scale + shift; v < floor {
					v = floor
				}
			}
			*to = v
		}
		if e.sums != nil {
			*sumAt(e.sums, col) += float64(sum)
			*sumAt(e.sums, e.width+col) += float64(square)
		}
	}
}

func sumAt(p *float64, i int) *float64 { return (*float64)(unsafe.Add(unsafe.Pointer(p), 8*i)) }
