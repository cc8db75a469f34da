package augment

import "golang.org/x/sys/cpu"

// kernels are the assembly for an instruction set.
type kernels struct {
	name    string
	rows    int // that rows3 resizes at a time
	bytes   int // that column computes at a time
	rows3   func(dst *byte, dstStride int, src *byte, srcStride int, offsets, weights *int32, groups, quads int)
	columns func(dst, src *byte, stride int, weights *int32, pairs, n int)
}

// machine has the kernels that this machine runs, the widest first.
var machine = detect()

func detect() []kernels {
	var all []kernels
	x := cpu.X86
	if x.HasAVX2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
		all = append(all, kernels{"AVX512", 4, 64, rows3AVX512, columnAVX512})
	}
	if x.HasAVX2 {
		all = append(all, kernels{"AVX2", 2, 32, rows3AVX2, columnAVX2})
	}
	return all
}

// resizeRows3 resizes rows of pixels of three bytes to rows of out, stride bytes apart, and says how many: those that it can without
// reading past the region's end.
func (t *taps) resizeRows3(all []kernels, out []byte, stride int, region []byte, pitch, rows int) int {
	if len(all) == 0 {
		return 0
	}
	quads := (t.out + 3) / 4
	t.pack(4*quads, groupTaps/2)
	groups := t.packed.pairs / (groupTaps / 2)
	last := 0 // byte of a row that is read last
	for _, at := range t.packed.offsets {
		last = max(last, int(at)+(groups-1)*3*groupTaps+groupBytes)
	}
	for rows > 0 && (rows-1)*pitch+last > len(region) {
		rows--
	}
	y := 0
	for _, k := range all {
		for ; y+k.rows <= rows; y += k.rows {
			k.rows3(&out[y*stride], stride, &region[y*pitch], pitch, &t.packed.offsets[0], &t.packed.weight[0], groups, quads)
		}
	}
	return y
}

// columnsOf computes all rows of out, n bytes each, from those of in. It returns false where rows are too short for it.
func (t *taps) columnsOf(all []kernels, out []byte, n int, in []byte, stride int) bool {
	if len(all) == 0 || n < all[len(all)-1].bytes {
		return false
	}
	t.pack(t.out, 1)
	for y := range t.out {
		weight, pairs := t.packed.weight[y*t.packed.pairs*2:], (t.count[y]+1)/2
		row, from := out[y*n:][:n], in[t.start[y]*stride:]
		if pairs == 0 {
			clear(row)
			continue
		}
		if (2*pairs-1)*stride+n > len(from) { // the last of an odd number of rows would be paired with one behind the end
			t.column(row, in, stride, y)
			continue
		}
		x := 0
		for _, k := range all {
			if chunks := (n - x) / k.bytes; chunks > 0 {
				k.columns(&row[x], &from[x], stride, &weight[0], pairs, chunks)
				x += chunks * k.bytes
			}
		}
		if x < n { // some bytes once more
			k := all[len(all)-1]
			k.columns(&row[n-k.bytes], &from[n-k.bytes], stride, &weight[0], pairs, 1)
		}
	}
	return true
}
