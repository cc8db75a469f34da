package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand" //nolint:staticcheck // operands read as assembly does
	"github.com/mmcloughlin/avo/reg"
)

// isa is one instruction set. It hides the differences of AVX2 and AVX-512 in width, masks and
// comparisons. Most instructions have the same name in both.
type isa struct {
	*build.Context
	name   string
	width  int // float32 values in a register: 8 or 16
	labels int
	data   map[string]Mem // the file's constants
}

// mask selects the first lanes of a vector, for the columns left at the end of a row. A nil mask
// selects all lanes.
type mask struct {
	v reg.VecVirtual    // AVX2: the sign bits
	k reg.OpmaskVirtual // AVX-512
}

// Comparison predicates of VCMPPS. Those with "not" hold for NaN.
const (
	unordered      = U8(0x03)
	lessOrEqual    = U8(0x12)
	notLessOrEqual = U8(0x16)
	notGreater     = U8(0x1a)
	greater        = U8(0x1e)
)

func (l *isa) wide() bool { return l.width == 16 }

// vec returns a new vector register.
func (l *isa) vec() reg.VecVirtual {
	if l.wide() {
		return l.ZMM()
	}
	return l.YMM()
}

func (l *isa) vecs(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = l.vec()
	}
	return v
}

// label returns a label that is new in this function.
func (l *isa) label(name string) string {
	l.labels++
	return fmt.Sprintf("%s%d", name, l.labels)
}

// function begins the kernel name+AVX2 or name+AVX512.
func (l *isa) function(name, doc, signature string) {
	l.Function(name + l.name)
	l.Attributes(attr.NOSPLIT)
	l.Pragma("noescape")
	l.Doc(name + l.name + " " + doc)
	l.SignatureExpr(signature)
	l.labels = 0
}

// end ends the function.
func (l *isa) end() {
	l.VZEROUPPER()
	l.RET()
}

// arg loads an integer or pointer argument.
func (l *isa) arg(name string) reg.GPVirtual {
	r := l.GP64()
	l.Load(l.Param(name), r)
	return r
}

// stack returns the memory of an argument that gets no register.
func (l *isa) stack(name string) Mem {
	b, err := l.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// spread fills a vector with a float32 argument.
func (l *isa) spread(name string) reg.VecVirtual {
	v := l.vec()
	l.VBROADCASTSS(l.stack(name), v)
	return v
}

// constant fills a vector with a float32.
func (l *isa) constant(f float32) reg.VecVirtual {
	bits := math.Float32bits(f)
	if bits == 0 {
		v := l.vec()
		l.VXORPS(v, v, v)
		return v
	}
	t, v := l.GP32(), l.vec()
	l.MOVL(U32(bits), t)
	x := v.AsX()
	l.VMOVD(t, x)
	l.VBROADCASTSS(x, v)
	return v
}

// tail returns the mask of the columns left after whole vectors, cols mod width.
func (l *isa) tail(cols reg.GPVirtual) *mask {
	left := l.GP64()
	l.MOVQ(cols, left)
	l.ANDQ(Imm(uint64(l.width-1)), left)
	if l.wide() {
		m, ones := &mask{k: l.K()}, l.GP32()
		l.MOVL(U32(0xffffffff), ones)
		l.BZHIL(left.As32(), ones, ones)
		l.KMOVW(ones, m.k)
		return m
	}
	m, lanes := &mask{v: l.YMM()}, l.YMM()
	x := m.v.AsX()
	l.VMOVD(left.As32(), x)
	l.VPBROADCASTD(x, m.v)
	l.VPMOVSXBD(l.memory("sequence", U64(0x0706050403020100)), lanes)
	l.VPCMPGTD(lanes, m.v, m.v)
	return m
}

// memory returns a constant in memory; a file has one for each name.
func (l *isa) memory(name string, value Constant) Mem {
	m, ok := l.data[name]
	if !ok {
		m = l.ConstData(name, value)
		l.data[name] = m
	}
	return m
}

// load reads a vector. Lanes beyond the mask are zero and are not read from memory.
func (l *isa) load(from Mem, part *mask) reg.VecVirtual {
	v := l.vec()
	switch {
	case part == nil:
		l.VMOVUPS(from, v)
	case l.wide():
		l.VMOVUPS_Z(from, part.k, v)
	default:
		l.VMASKMOVPS(from, part.v, v)
	}
	return v
}

// store writes a vector, except the lanes beyond the mask.
func (l *isa) store(v reg.VecVirtual, to Mem, part *mask) {
	switch {
	case part == nil:
		l.VMOVUPS(v, to)
	case l.wide():
		l.VMOVUPS(v, part.k, to)
	default:
		l.VMASKMOVPS(v, part.v, to)
	}
}

// clamp computes v = max(v, 0) and keeps NaN, because MAXPS returns its second source if either is
// NaN.
func (l *isa) clamp(v, zero reg.VecVirtual) { l.VMAXPS(v, zero, v) }

// gate computes g = (v <= 0 ? 0 : g); a NaN in v lets g through.
func (l *isa) gate(g, v, zero reg.VecVirtual) {
	if l.wide() {
		k := l.K()
		l.VCMPPS(notLessOrEqual, zero, v, k)
		l.VMOVAPS_Z(g, k, g)
		return
	}
	m := l.YMM()
	l.VCMPPS(lessOrEqual, zero, v, m)
	l.VANDNPS(g, m, g)
}

// count adds 1 to sum unless v > 0, so also if v is NaN.
func (l *isa) count(v, zero, one, sum reg.VecVirtual) {
	if l.wide() {
		k := l.K()
		l.VCMPPS(notGreater, zero, v, k)
		l.VADDPS(one, sum, k, sum)
		return
	}
	m := l.YMM()
	l.VCMPPS(notGreater, zero, v, m)
	l.VANDPS(one, m, m)
	l.VADDPS(m, sum, sum)
}

// doubles converts the lanes of a float32 vector to float64: the first half and the second.
func (l *isa) doubles(v reg.VecVirtual) (lo, hi reg.VecVirtual) {
	lo, hi = l.vec(), l.vec()
	if l.wide() {
		top := l.YMM()
		l.VCVTPS2PD(v.AsY(), lo)
		l.VEXTRACTF64X4(Imm(1), v, top)
		l.VCVTPS2PD(top, hi)
		return lo, hi
	}
	top := l.XMM()
	l.VCVTPS2PD(v.AsX(), lo)
	l.VEXTRACTF128(Imm(1), v, top)
	l.VCVTPS2PD(top, hi)
	return lo, hi
}

// addDoubles adds two vectors of float64 to those at to. It overwrites the registers.
func (l *isa) addDoubles(lo, hi reg.VecVirtual, to Mem, part *mask) {
	next := to.Offset(4 * l.width)
	switch {
	case part == nil:
		l.VADDPD(to, lo, lo)
		l.VMOVUPD(lo, to)
		l.VADDPD(next, hi, hi)
		l.VMOVUPD(hi, next)
	case l.wide():
		k := l.K()
		l.KSHIFTRW(Imm(8), part.k, k)
		l.VADDPD_Z(to, lo, part.k, lo)
		l.VMOVUPD(lo, part.k, to)
		l.VADDPD_Z(next, hi, k, hi)
		l.VMOVUPD(hi, k, next)
	default:
		m, old, top := l.YMM(), l.YMM(), l.XMM()
		l.VPMOVSXDQ(part.v.AsX(), m)
		l.VMASKMOVPD(to, m, old)
		l.VADDPD(old, lo, lo)
		l.VMASKMOVPD(lo, m, to)
		l.VEXTRACTF128(Imm(1), part.v, top)
		l.VPMOVSXDQ(top, m)
		l.VMASKMOVPD(next, m, old)
		l.VADDPD(old, hi, hi)
		l.VMASKMOVPD(hi, m, next)
	}
}
