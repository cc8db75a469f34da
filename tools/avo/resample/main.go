// Command resample writes the assembly of package augment: the two passes of its resampler, for AVX2 and AVX-512. Run it with
// go generate ./augment; its output depends on nothing but its source.
//
// A weight has 23 bits and a pixel 8. A weight is cut into its lower 15 bits and the rest, so that each product of a pair of pixels
// with a pair of weights is one VPMADDWD, and sums are exact as they are in Go.
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
		s.rows3()
		s.column()
	}
	Generate()
}

// isa is an instruction set, by the bytes of its vectors.
type isa struct {
	name  string
	bytes int
}

// vec is a fresh vector register.
func (s isa) vec() reg.VecVirtual {
	if s.bytes == 64 {
		return ZMM()
	}
	return YMM()
}

// zero makes a register zero.
func (s isa) zero(v reg.VecVirtual) {
	if s.bytes == 64 {
		VPXORQ(v, v, v)
	} else {
		VPXOR(v, v, v)
	}
}

// pair sets lo and hi to the products of pixels with the lower and the upper part of their weights, or adds them.
func (s isa) pair(pixels reg.VecVirtual, weights Mem, lo, hi reg.VecVirtual, add bool) {
	for i, to := range []reg.VecVirtual{lo, hi} {
		w := s.vec()
		VPBROADCASTD(weights.Offset(4*i), w)
		if !add {
			VPMADDWD(w, pixels, to)
			continue
		}
		VPMADDWD(w, pixels, w)
		VPADDD(w, to, to)
	}
}

// finish makes lo the rounded sum in units of a byte, not yet limited to one.
func finish(lo, hi, round reg.VecVirtual) {
	VPSLLD(U8(lowBits), hi, hi)
	VPADDD(round, lo, lo)
	VPADDD(hi, lo, lo)
	VPSRAD(U8(weightBits), lo, lo)
}

// rounding is one half in the units of a sum.
func (s isa) rounding() reg.VecVirtual {
	v, half, x := s.vec(), GP32(), XMM()
	MOVL(U32(1<<(weightBits-1)), half)
	VMOVD(half, x)
	VPBROADCASTD(x, v)
	return v
}

// shuffle is a table for VPSHUFB, alike in all parts of 16 bytes; negative numbers make zeros.
func (s isa) shuffle(name string, index [16]int) reg.VecVirtual {
	name += s.name
	m := GLOBL(name, RODATA|NOPTR)
	for i := range s.bytes {
		v := index[i%16]
		if v < 0 {
			v = 0x80
		}
		DATA(i, U8(v))
	}
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

// pixelPairs takes two pixels of three bytes from byte at on apart: the first channel of both, the second, the third, as 16 bits.
func pixelPairs(at int) (index [16]int) {
	for i := range index {
		index[i] = -1
	}
	for c := range 3 {
		index[4*c], index[4*c+2] = at+c, at+3+c
	}
	return index
}

// rows3 takes a row in each part of 16 bytes of a vector.
func (s isa) rows3() {
	rows := s.bytes / 16
	TEXT("rows3"+s.name, NOSPLIT, "func(dst *byte, dstStride int, src *byte, srcStride int, offsets, weights *int32, groups, quads int)")
	Doc(fmt.Sprintf("rows3%s resizes %d rows of pixels of three bytes to quads·4 pixels each. A position has an offset, where its pixels", s.name, rows),
		"begin, and groups·4 weights: for each two pairs, lower and upper parts. It reads 16 bytes at offset + 12·group, and writes 4 bytes",
		"more.")
	Pragma("noescape")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	dstStride, srcStride := Load(Param("dstStride"), GP64()), Load(Param("srcStride"), GP64())
	offsets, weights := Load(Param("offsets"), GP64()), Load(Param("weights"), GP64())
	groups, quads := Load(Param("groups"), GP64()), Load(Param("quads"), GP64())
	src3, dst3 := GP64(), GP64()
	if rows == 4 {
		LEAQ(Mem{Base: srcStride, Index: srcStride, Scale: 2}, src3)
		LEAQ(Mem{Base: dstStride, Index: dstStride, Scale: 2}, dst3)
	}
	first, second := s.shuffle("pixels01", pixelPairs(0)), s.shuffle("pixels23", pixelPairs(6))
	var drop [16]int // every fourth byte
	for i := range drop {
		drop[i] = -1
		if i < 12 {
			drop[i] = i/3*4 + i%3
		}
	}
	pack := s.shuffle("three", drop)
	round := s.rounding()

	// A load fills part of a register, so avo takes the rest for live from the function's beginning on. Fresh registers for each
	// four would be more than the 16 of AVX2.
	p, q := s.vec(), reg.VecVirtual(nil)
	if rows == 4 {
		q = YMM()
	}
	// four adds four pixels of each row, and steps over their weights.
	four := func(at reg.Register, lo, hi reg.VecVirtual, add bool) {
		pixels := s.vec()
		if rows == 2 {
			VMOVDQU(Mem{Base: at}, p.AsX())
			VINSERTI128(U8(1), Mem{Base: at, Index: srcStride, Scale: 1}, p, p)
		} else {
			VMOVDQU32(Mem{Base: at}, p.AsX())
			VINSERTI32X4(U8(1), Mem{Base: at, Index: srcStride, Scale: 1}, p.AsY(), p.AsY())
			VMOVDQU32(Mem{Base: at, Index: srcStride, Scale: 2}, q.AsX())
			VINSERTI32X4(U8(1), Mem{Base: at, Index: src3, Scale: 1}, q, q)
			VINSERTI64X4(U8(1), q, p, p)
		}
		VPSHUFB(first, p, pixels)
		s.pair(pixels, Mem{Base: weights}, lo, hi, add)
		VPSHUFB(second, p, pixels)
		s.pair(pixels, Mem{Base: weights, Disp: 8}, lo, hi, true)
		ADDQ(Imm(16), weights)
	}

	Label("quad")
	var sums [4]reg.VecVirtual
	for i := range sums {
		at, lo, hi := GP64(), s.vec(), s.vec()
		MOVLQSX(Mem{Base: offsets, Disp: 4 * i}, at)
		ADDQ(src, at)
		four(at, lo, hi, false)
		left, done, more := GP64(), fmt.Sprint("done", i), fmt.Sprint("more", i)
		MOVQ(groups, left)
		DECQ(left)
		JZ(LabelRef(done))
		Label(more)
		ADDQ(Imm(12), at)
		four(at, lo, hi, true)
		DECQ(left)
		JNZ(LabelRef(more))
		Label(done)
		finish(lo, hi, round)
		sums[i] = lo
	}
	VPACKSSDW(sums[1], sums[0], sums[0])
	VPACKSSDW(sums[3], sums[2], sums[2])
	VPACKUSWB(sums[2], sums[0], sums[0])
	VPSHUFB(pack, sums[0], sums[0])
	if rows == 2 {
		VMOVDQU(sums[0].AsX(), Mem{Base: dst})
		VEXTRACTI128(U8(1), sums[0], Mem{Base: dst, Index: dstStride, Scale: 1})
	} else {
		VMOVDQU32(sums[0].AsX(), Mem{Base: dst})
		VEXTRACTI32X4(U8(1), sums[0], Mem{Base: dst, Index: dstStride, Scale: 1})
		VEXTRACTI32X4(U8(2), sums[0], Mem{Base: dst, Index: dstStride, Scale: 2})
		VEXTRACTI32X4(U8(3), sums[0], Mem{Base: dst, Index: dst3, Scale: 1})
	}
	ADDQ(Imm(12), dst)
	ADDQ(Imm(16), offsets)
	DECQ(quads)
	JNZ(LabelRef("quad"))
	VZEROUPPER()
	RET()
}

func (s isa) column() {
	TEXT("column"+s.name, NOSPLIT, "func(dst, src *byte, stride int, weights *int32, pairs, n int)")
	Doc(fmt.Sprintf("column%s computes n·%d bytes of a row from pairs of rows, stride bytes apart. A pair has two weights: lower and", s.name, s.bytes),
		"upper parts.")
	Pragma("noescape")
	dst, src, stride := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("stride"), GP64())
	weights, pairs, n := Load(Param("weights"), GP64()), Load(Param("pairs"), GP64()), Load(Param("n"), GP64())
	zero, round := s.vec(), s.rounding()
	s.zero(zero)

	Label("chunk")
	var lo, hi [4]reg.VecVirtual
	for i := range lo {
		lo[i], hi[i] = s.vec(), s.vec()
		s.zero(lo[i])
		s.zero(hi[i])
	}
	at, w, left := GP64(), GP64(), GP64()
	MOVQ(src, at)
	MOVQ(weights, w)
	MOVQ(pairs, left)
	Label("pair")
	a, b, bytes := s.vec(), s.vec(), [2]reg.VecVirtual{s.vec(), s.vec()}
	s.load(Mem{Base: at}, a)
	s.load(Mem{Base: at, Index: stride, Scale: 1}, b)
	VPUNPCKLBW(b, a, bytes[0])
	VPUNPCKHBW(b, a, bytes[1])
	weight := [2]reg.VecVirtual{a, b}
	for i := range weight {
		VPBROADCASTD(Mem{Base: w, Disp: 4 * i}, weight[i])
	}
	for i := range lo {
		pixels, product := s.vec(), s.vec()
		if i%2 == 0 {
			VPUNPCKLBW(zero, bytes[i/2], pixels)
		} else {
			VPUNPCKHBW(zero, bytes[i/2], pixels)
		}
		VPMADDWD(weight[0], pixels, product)
		VPADDD(product, lo[i], lo[i])
		VPMADDWD(weight[1], pixels, pixels)
		VPADDD(pixels, hi[i], hi[i])
	}
	LEAQ(Mem{Base: at, Index: stride, Scale: 2}, at)
	ADDQ(Imm(8), w)
	DECQ(left)
	JNZ(LabelRef("pair"))
	for i := range lo {
		finish(lo[i], hi[i], round)
	}
	VPACKSSDW(lo[1], lo[0], lo[0])
	VPACKSSDW(lo[3], lo[2], lo[2])
	VPACKUSWB(lo[2], lo[0], lo[0])
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
