// Command resample writes the assembly of package augment: the two passes of its resampler, for
// AVX2 and AVX-512. Run it with go generate ./augment; its output depends only on its source.
//
// A weight has 23 bits and a pixel 8. A weight is split into its lower 15 bits and the rest, so
// that each product of a pair of pixels with a pair of weights is one VPMADDWD, and sums are exact
// as in Go.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand" //nolint:staticcheck // operands read as assembly does
	"github.com/mmcloughlin/avo/reg"
)

const (
	weightBits = 22 // as in package augment
	lowBits    = 15
)

func main() {
	ConstraintExpr("amd64")
	for _, s := range []isa{{"AVX2", 32}, {"AVX512", 64}} {
		scale := s.scale()
		s.rows3(scale)
		s.column(scale)
	}
	Generate()
}

// isa is an instruction set with the size of its vectors.
type isa struct {
	name  string
	bytes int
}

// vec returns a new vector register.
func (s isa) vec() reg.VecVirtual {
	if s.bytes == 64 {
		return ZMM()
	}
	return YMM()
}

// zero sets a register to zero.
func (s isa) zero(v reg.VecVirtual) {
	if s.bytes == 64 {
		VPXORQ(v, v, v)
	} else {
		VPXOR(v, v, v)
	}
}

// finish sets lo to the sum in units of 2^lowBits, rounded down. toBytes converts such sums to
// bytes.
func finish(lo, hi reg.VecVirtual) {
	VPSRAD(U8(lowBits), lo, lo)
	VPADDD(hi, lo, lo)
}

// toBytes converts finished sums to bytes. It packs them to 16 bits first; a sum that does not fit
// into 16 bits is also beyond a byte. VPMULHRSW rounds to the nearest, halves up, as Go rounds the
// whole sum: what finish has dropped is less than a unit of its result.
func toBytes(a, b reg.VecVirtual, scale Mem) {
	VPMULHRSW(scale, a, a)
	VPMULHRSW(scale, b, b)
	VPACKUSWB(b, a, a)
}

// scale returns a vector of the 16-bit factor with which VPMULHRSW converts finished sums to units
// of a byte.
func (s isa) scale() Mem {
	m := GLOBL("scale"+s.name, RODATA|NOPTR)
	for i := range s.bytes / 2 {
		DATA(2*i, U16(1<<(15-(weightBits-lowBits))))
	}
	return m
}

// shuffle returns a table for VPSHUFB, the same in all parts of 16 bytes. Negative numbers give
// zeros.
func (s isa) shuffle(name string, index [16]int) Mem {
	name += s.name
	m := GLOBL(name, RODATA|NOPTR)
	for i := range s.bytes {
		v := index[i%16]
		if v < 0 {
			v = 0x80
		}
		DATA(i, U8(v))
	}
	return m
}

// loaded returns a register with a table.
func (s isa) loaded(m Mem) reg.VecVirtual {
	v := s.vec()
	s.load(m, v)
	return v
}

func (s isa) load(m Mem, v reg.VecVirtual) {
	if s.bytes == 64 {
		VMOVDQU32(m, v)
	} else {
		VMOVDQU(m, v)
	}
}

// pixelPairs returns the index that takes two pixels of three bytes, from byte at on, apart into
// 16-bit values: the first channel of both, then the second, then the third.
func pixelPairs(at int) (index [16]int) {
	for i := range index {
		index[i] = -1
	}
	for c := range 3 {
		index[4*c], index[4*c+2] = at+c, at+3+c
	}
	return index
}

// rowsAtOnce is the number of rows that rows3 resizes at a time, so that it reads each weight once
// for all of them.
const rowsAtOnce = 4

// rows3 writes the kernel for rows. It keeps one row in each part of 16 bytes of one or two
// vectors.
func (s isa) rows3(scale Mem) {
	TEXT("rows3"+s.name, NOSPLIT, "func(dst *byte, dstStride int, src *byte, srcStride int, offsets, weights *int32, pairs, quads int)")
	Doc(fmt.Sprintf("rows3%s resizes %d rows of pixels of three bytes to quads·4 pixels each. A position has", s.name, rowsAtOnce),
		"an offset, where its pixels begin, and 2·pairs numbers: the lower and the upper parts of each pair",
		"of weights. Pairs are one or an even number. It reads 16 bytes at offset + 12·(pair/2), and writes",
		"4 bytes more.")
	Pragma("noescape")
	dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
	src0, stride := Load(Param("src"), GP64()), Load(Param("srcStride"), GP64())
	offsets, weights := Load(Param("offsets"), GP64()), Load(Param("weights"), GP64())
	pairs, quads := Load(Param("pairs"), GP64()), Load(Param("quads"), GP64())
	src := [rowsAtOnce]reg.GPVirtual{src0.(reg.GPVirtual)}
	for i := 1; i < rowsAtOnce; i++ {
		src[i] = GP64()
		LEAQ(Mem{Base: src[i-1], Index: stride, Scale: 1}, src[i])
	}
	dst3 := GP64()
	LEAQ(Mem{Base: dstStride, Index: dstStride, Scale: 2}, dst3)
	var drop [16]int // every fourth byte
	for i := range drop {
		drop[i] = -1
		if i < 12 {
			drop[i] = i/3*4 + i%3
		}
	}
	three := s.shuffle("three", drop)
	take := [2]reg.VecVirtual{s.loaded(s.shuffle("pixels01", pixelPairs(0))), s.loaded(s.shuffle("pixels23", pixelPairs(6)))}

	// A load fills a part of a register, so avo takes the rest to be live from the function's
	// beginning. Separate registers for each pixel would exceed the 16 of AVX2.
	pixels := make([]reg.VecVirtual, rowsAtOnce*16/s.bytes)
	for i := range pixels {
		pixels[i] = s.vec()
	}
	upper := reg.VecVirtual(nil)
	if s.bytes == 64 {
		upper = YMM()
	}
	type sums struct{ lo, hi reg.VecVirtual }
	// add adds the pixels of each row from byte at on, in pairs pairs, with weights from byte w on.
	add := func(at reg.GPVirtual, to []sums, pairs, w int, fresh bool) {
		row := func(i int) Mem { return Mem{Base: src[i], Index: at, Scale: 1} }
		if s.bytes == 32 {
			for i, p := range pixels {
				VMOVDQU(row(2*i), p.AsX())
				VINSERTI128(U8(1), row(2*i+1), p, p)
			}
		} else {
			p := pixels[0]
			VMOVDQU32(row(0), p.AsX())
			VINSERTI32X4(U8(1), row(1), p.AsY(), p.AsY())
			VMOVDQU32(row(2), upper.AsX())
			VINSERTI32X4(U8(1), row(3), upper, upper)
			VINSERTI64X4(U8(1), upper, p, p)
		}
		for pair := range pairs {
			lo, hi := s.vec(), s.vec()
			VPBROADCASTD(Mem{Base: weights, Disp: w + 8*pair}, lo)
			VPBROADCASTD(Mem{Base: weights, Disp: w + 8*pair + 4}, hi)
			for i := range pixels {
				two := s.vec()
				VPSHUFB(take[pair], pixels[i], two)
				if fresh && pair == 0 {
					VPMADDWD(lo, two, to[i].lo)
					VPMADDWD(hi, two, to[i].hi)
					continue
				}
				product := s.vec()
				VPMADDWD(lo, two, product)
				VPADDD(product, to[i].lo, to[i].lo)
				VPMADDWD(hi, two, two)
				VPADDD(two, to[i].hi, to[i].hi)
			}
		}
	}
	// all writes the loop over all pixels. If perPixel is positive, the loop advances over the
	// weights, perPixel bytes for each pixel, after each group of four pixels. Otherwise pixel
	// does so itself.
	all := func(name string, perPixel int, pixel func(i int, at reg.GPVirtual, to []sums)) {
		Label(name)
		var done [4][]sums
		for i := range done {
			at := GP64()
			MOVLQSX(Mem{Base: offsets, Disp: 4 * i}, at)
			for range pixels {
				done[i] = append(done[i], sums{s.vec(), s.vec()})
			}
			pixel(i, at, done[i])
			for _, v := range done[i] {
				finish(v.lo, v.hi)
			}
			if i%2 == 1 {
				for j, v := range done[i] {
					VPACKSSDW(v.lo, done[i-1][j].lo, done[i-1][j].lo)
				}
			}
		}
		for j := range pixels {
			v := done[0][j].lo
			toBytes(v, done[2][j].lo, scale)
			VPSHUFB(three, v, v)
			to := func(i int) Mem {
				return [rowsAtOnce]Mem{{Base: dst}, {Base: dst, Index: dstStride, Scale: 1}, {Base: dst, Index: dstStride, Scale: 2}, {Base: dst, Index: dst3, Scale: 1}}[i]
			}
			if s.bytes == 32 {
				VMOVDQU(v.AsX(), to(2*j))
				VEXTRACTI128(U8(1), v, to(2*j+1))
				continue
			}
			VMOVDQU32(v.AsX(), to(0))
			for i := 1; i < rowsAtOnce; i++ {
				VEXTRACTI32X4(U8(uint8(i)), v, to(i))
			}
		}
		ADDQ(Imm(12), dst)
		ADDQ(Imm(16), offsets)
		if perPixel > 0 {
			ADDQ(Imm(uint64(4*perPixel)), weights)
		}
		DECQ(quads)
		JNZ(LabelRef(name))
		VZEROUPPER()
		RET()
	}

	CMPQ(pairs, Imm(2))
	JB(LabelRef("one"))
	JE(LabelRef("two"))
	all("many", 0, func(i int, at reg.GPVirtual, to []sums) {
		left, more := GP64(), fmt.Sprint("more", i)
		MOVQ(pairs, left)
		add(at, to, 2, 0, true)
		SUBQ(Imm(2), left)
		Label(more)
		ADDQ(Imm(12), at)
		ADDQ(Imm(16), weights)
		add(at, to, 2, 0, false)
		SUBQ(Imm(2), left)
		JNZ(LabelRef(more))
		ADDQ(Imm(16), weights)
	})
	all("two", 16, func(i int, at reg.GPVirtual, to []sums) { add(at, to, 2, 16*i, true) })
	all("one", 8, func(i int, at reg.GPVirtual, to []sums) { add(at, to, 1, 8*i, true) })
}

func (s isa) column(scale Mem) {
	TEXT("column"+s.name, NOSPLIT, "func(dst, src *byte, stride int, weights *int32, pairs, n int)")
	Doc(fmt.Sprintf("column%s computes n·%d bytes of a row from pairs of rows, stride bytes apart. A pair has two weights: lower and", s.name, s.bytes),
		"upper parts.")
	Pragma("noescape")
	dst, src, stride := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("stride"), GP64())
	weights, pairs, n := Load(Param("weights"), GP64()), Load(Param("pairs"), GP64()), Load(Param("n"), GP64())
	zero := s.vec()
	s.zero(zero)

	Label("chunk")
	var lo, hi [4]reg.VecVirtual
	for i := range lo {
		lo[i], hi[i] = s.vec(), s.vec()
	}
	at, w, left := GP64(), GP64(), GP64()
	// pair adds a pair of rows to the sums, or starts the sums with it.
	pair := func(at, w reg.Register, fresh bool) {
		a, b, both := s.vec(), s.vec(), [2]reg.VecVirtual{s.vec(), s.vec()}
		s.load(Mem{Base: at}, a)
		s.load(Mem{Base: at, Index: stride, Scale: 1}, b)
		VPUNPCKLBW(b, a, both[0])
		VPUNPCKHBW(b, a, both[1])
		weight := [2]reg.VecVirtual{a, b}
		for i := range weight {
			VPBROADCASTD(Mem{Base: w, Disp: 4 * i}, weight[i])
		}
		for i := range lo {
			pixels := s.vec()
			if i%2 == 0 {
				VPUNPCKLBW(zero, both[i/2], pixels)
			} else {
				VPUNPCKHBW(zero, both[i/2], pixels)
			}
			if fresh {
				VPMADDWD(weight[0], pixels, lo[i])
				VPMADDWD(weight[1], pixels, hi[i])
				continue
			}
			product := s.vec()
			VPMADDWD(weight[0], pixels, product)
			VPADDD(product, lo[i], lo[i])
			VPMADDWD(weight[1], pixels, pixels)
			VPADDD(pixels, hi[i], hi[i])
		}
	}
	pair(src, weights, true)
	MOVQ(pairs, left)
	DECQ(left)
	JZ(LabelRef("done"))
	MOVQ(src, at)
	MOVQ(weights, w)
	Label("more")
	LEAQ(Mem{Base: at, Index: stride, Scale: 2}, at)
	ADDQ(Imm(8), w)
	pair(at, w, false)
	DECQ(left)
	JNZ(LabelRef("more"))
	Label("done")
	for i := range lo {
		finish(lo[i], hi[i])
	}
	VPACKSSDW(lo[1], lo[0], lo[0])
	VPACKSSDW(lo[3], lo[2], lo[2])
	toBytes(lo[0], lo[2], scale)
	if s.bytes == 64 {
		VMOVDQU32(lo[0], Mem{Base: dst})
	} else {
		VMOVDQU(lo[0], Mem{Base: dst})
	}
	ADDQ(Imm(uint64(s.bytes)), src)
	ADDQ(Imm(uint64(s.bytes)), dst)
	DECQ(n)
	JNZ(LabelRef("chunk"))
	VZEROUPPER()
	RET()
}
