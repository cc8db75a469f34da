package jpeg

// smooths reports whether the coefficients of a progressive file are smoothed: all DC coefficients
// are known, and some of the first AC coefficients are not known to the last bit.
func (d *Decoder) smooths() bool {
	if !d.header.Progressive {
		return false
	}
	useful := false
	for i := range d.header.Components {
		c := &d.comps[i]
		if !c.latched || c.precision[0] < 0 {
			return false
		}
		for k := range 10 {
			if c.q[natural[k]] == 0 {
				return false
			}
			if k > 0 && c.precision[k] != 0 {
				useful = true
			}
		}
	}
	return useful
}

// kernel estimates a coefficient from the DC coefficients of 5×5 blocks, with weights in units of
// 1/256.
type kernel [5][5]int32

// narrow estimates the first AC coefficients if some are known (T.81, K.8, on five blocks instead
// of three), and wide if none is. Index 0 is the DC coefficient itself.
var narrow = [10]kernel{
	1: {2: {-7, 50, 0, -50, 7}},
	2: {0: {2: -7}, 1: {2: 50}, 3: {2: -50}, 4: {2: 7}},
	3: {0: {2: -1}, 1: {2: 13}, 2: {2: -24}, 3: {2: 13}, 4: {2: -1}},
	4: {0: {1: -1, 3: 1}, 1: {-1, 10, 0, -10, 1}, 3: {1, -10, 0, 10, -1}, 4: {1: 1, 3: -1}},
	5: {2: {-1, 13, -24, 13, -1}},
}

var wide = [10]kernel{
	0: {{-2, -6, -8, -6, -2}, {-6, 6, 42, 6, -6}, {-8, 42, 152, 42, -8}, {-6, 6, 42, 6, -6}, {-2, -6, -8, -6, -2}},
	1: {{-1, -1, 0, 1, 1}, {-3, 13, 0, -13, 3}, {-3, 38, 0, -38, 3}, {-3, 13, 0, -13, 3}, {-1, -1, 0, 1, 1}},
	2: {{-1, -3, -3, -3, -1}, {-1, 13, 38, 13, -1}, {}, {1, -13, -38, -13, 1}, {1, 3, 3, 3, 1}},
	3: {{2: 1}, {1: 2, 2: 7, 3: 2}, {1: -5, 2: -14, 3: -5}, {1: 2, 2: 7, 3: 2}, {2: 1}},
	4: {{0: -1, 4: 1}, {1: 9, 3: -9}, {}, {1: -9, 3: 9}, {0: 1, 4: -1}},
	5: {1: {1: 2, 2: -5, 3: 2}, 2: {1, 7, -14, 7, 1}, 3: {1: 2, 2: -5, 3: 2}},
	6: {1: {1: 1, 3: -1}, 2: {1: 2, 3: -2}, 3: {1: 1, 3: -1}},
	7: {1: {1: 1, 2: -3, 3: 1}, 3: {1: -1, 2: 3, 3: -1}},
	8: {1: {1: 1, 3: -1}, 2: {1: -3, 3: 3}, 3: {1: 1, 3: -1}},
	9: {1: {1: 1, 2: 2, 3: 1}, 3: {1: -1, 2: -2, 3: -1}},
}

// smooth estimates the unknown coefficients of block (y, x), which lies in the given row of MCUs,
// from the DC coefficients around it.
func (d *Decoder) smooth(c *component, b *[64]int16, row, y, x int) {
	var known [10]int8
	copy(known[:], c.precision[:])
	if row > d.scan.good { // the last scan's data ended before this row
		known = c.before
		if d.scan.number == 1 {
			for k := 1; k < len(known); k++ {
				known[k] = -1
			}
		}
	}
	kernels, last := &wide, 9
	for _, bits := range known[1:] {
		if bits != -1 {
			kernels, last = &narrow, 5
		}
	}
	dc := d.around(c, row, y, x)
	for k := 1; k <= last; k++ {
		if at := natural[k]; known[k] != 0 && b[at] == 0 {
			b[at] = estimated(kernels[k].apply(&dc)*int64(c.q[0]), int64(c.q[at]), int(known[k]))
		}
	}
	if kernels == &wide {
		b[0] = estimated(wide[0].apply(&dc)*int64(c.q[0]), int64(c.q[0]), 0)
	}
}

func (k *kernel) apply(dc *[5][5]int32) (sum int64) {
	for i := range k {
		for j, w := range k[i] {
			sum += int64(w) * int64(dc[i][j])
		}
	}
	return sum
}

// estimated returns v/256 in units of q, rounded. If bits is positive, that many bits are unknown,
// and the result has at most these.
func estimated(v, q int64, bits int) int16 {
	n := max(v, -v)
	n = (q<<7 + n) / (q << 8)
	if bits > 0 {
		n = min(n, 1<<bits-1)
	}
	if v < 0 {
		n = -n
	}
	return int16(n)
}

// around returns the DC coefficients of the blocks up to two to each side, or of the nearest blocks
// in the image.
func (d *Decoder) around(c *component, row, y, x int) (dc [5][5]int32) {
	// libjpeg counts the rows of blocks as if every row of MCUs had as many as this one.
	rows := min(c.v, c.high-row*c.v)
	all := rows * ceil(d.header.Height, 8*d.maxV)
	n := row*rows + y - row*c.v
	at := [5]int{2: y}
	at[1] = y
	if n > 0 {
		at[1] = y - 1
	}
	at[0] = at[1]
	if n > 1 {
		at[0] = y - 2
	}
	at[3] = y
	if n < all-1 {
		at[3] = y + 1
	}
	at[4] = at[3]
	if n < all-2 {
		at[4] = y + 2
	}
	for i, y := range at {
		for j := range 5 {
			dc[i][j] = int32(c.block(y, min(max(x+j-2, 0), c.wide-1))[0])
		}
	}
	return dc
}
