package augment

import "golang.org/x/sys/cpu"

// kernels are the assembly functions for an instruction set.
type kernels struct {
	name    string
	bytes   int // bytes that columns computes at a time
	rows3   func(dst *byte, dstStride int, src *byte, srcStride int, offsets, weights *int32, pairs, quads int)
	columns func(dst, src *byte, stride int, weights *int32, pairs, n int)
}

// kernelRows is the number of rows that rows3 resizes at a time.
const kernelRows = 4

// machine has the kernels that this machine can run, the widest first.
var machine = detect()

func detect() []kernels {
	var all []kernels
	x := cpu.X86
	if x.HasAVX2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
		all = append(all, kernels{"AVX512", 64, rows3AVX512, columnAVX512})
	}
	if x.HasAVX2 {
		all = append(all, kernels{"AVX2", 32, rows3AVX2, columnAVX2})
	}
	return all
}

// prepareRows3 prepares resizeRows3 for a region. It returns the number of rows that the kernels
// may read: their loads go past the last pixel, so the last rows may be out of bounds.
func (t *taps) prepareRows3(all []kernels, region []byte, pitch, rows int) int {
	if len(all) == 0 {
		return 0
	}
	t.pack((t.out+3)/4*4, groupTaps/2)
	last := 0 // end of the last read in a row, in bytes
	for _, at := range t.packed.offsets {
		last = max(last, int(at)+(t.packed.pairs-1)/(groupTaps/2)*3*groupTaps+groupBytes)
	}
	for rows > 0 && (rows-1)*pitch+last > len(region) {
		rows--
	}
	return rows
}

// resizeRows3 resizes rows [from, to) of pixels of three bytes to rows of out, stride bytes apart.
// It returns the number of rows that are resized then. The last call may repeat some rows.
func (t *taps) resizeRows3(all []kernels, out []byte, stride int, region []byte, pitch, from, to int) int {
	if to < kernelRows {
		return from
	}
	for y := from; y < to; y += kernelRows {
		y = min(y, to-kernelRows)
		all[0].rows3(&out[y*stride], stride, &region[y*pitch], pitch, &t.packed.offsets[0], &t.packed.weight[0], t.packed.pairs, len(t.packed.offsets)/4)
	}
	return to
}

// kernelColumn does the work of column with kernels. It returns false if rows are too short for the
// kernels, or if the last of an odd number of rows would be paired with a row past the end.
func (t *taps) kernelColumn(all []kernels, out, in []byte, stride, y int) bool {
	n, pairs := len(out), (t.count[y]+1)/2
	if len(all) == 0 || n < all[len(all)-1].bytes {
		return false
	}
	from := in[t.start[y]*stride:]
	if pairs == 0 || (2*pairs-1)*stride+n > len(from) {
		return false
	}
	t.pack(t.out, 1)
	weight := &t.packed.weight[y*t.packed.pairs*2]
	x := 0
	for _, k := range all {
		if chunks := (n - x) / k.bytes; chunks > 0 {
			k.columns(&out[x], &from[x], stride, weight, pairs, chunks)
			x += chunks * k.bytes
		}
	}
	if x < n { // the last bytes, some of them for the second time
		k := all[len(all)-1]
		k.columns(&out[n-k.bytes], &from[n-k.bytes], stride, weight, pairs, 1)
	}
	return true
}
