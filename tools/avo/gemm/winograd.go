package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The transforms of Winograd's F(2×2, 3×3) in the form of Lavin and Gray, with the signs of the
// last row of B and A inverted, so that no transform has a negation:
//
//	    | 1  0 -1  0 |       | 1   0   0  |
//	Bᵀ =| 0  1  1  0 |   G = | ½   ½   ½  |   Aᵀ = | 1  1  1  0 |
//	    | 0 -1  1  0 |       | ½  -½   ½  |        | 0  1 -1  1 |
//	    | 0 -1  0  1 |       | 0   0   1  |
//
// All of them work on one vector of channels at a time. The 16 positions (i,j) of a transformed
// tile lie in planes of memory, `plane` bytes apart, in the order 4i+j.

// grid has the addresses of rows×cols values at distances of col and row bytes.
type grid struct {
	base []reg.GPPhysical // address of each row
	col  reg.Register
	col3 reg.Register // 3·col, for grids with four columns
}

func (g grid) at(i, j int) Mem {
	switch j {
	case 0:
		return Mem{Base: g.base[i]}
	case 1, 2:
		return Mem{Base: g.base[i], Index: g.col, Scale: uint8(j)}
	}
	return Mem{Base: g.base[i], Index: g.col3, Scale: 1}
}

// rowsAt sets the bases of a grid's rows from base[0]; row is their distance.
func (g grid) rowsAt(row Op) {
	for i := 1; i < len(g.base); i++ {
		MOVQ(g.base[i-1], g.base[i])
		ADDQ(row, g.base[i])
	}
}

func (g grid) advance(n int) {
	for _, b := range g.base {
		ADDQ(Imm(uint64(n)), b)
	}
}

// planes returns the grid of 4×4 planes that begins at the address in base[0]. col must be set.
func planes(base []reg.GPPhysical, col, col3, scratch reg.Register) grid {
	g := grid{base, col, col3}
	LEAQ(Mem{Base: col, Index: col, Scale: 2}, col3)
	MOVQ(col, scratch)
	SHLQ(Imm(2), scratch)
	g.rowsAt(scratch)
	return g
}

// loop repeats the body n times; n is in a register.
func loop(n reg.Register, body func()) {
	Label("loop")
	body()
	SUBQ(Imm(1), n)
	JGT(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// winoInput writes Bᵀ·d·B of 4×4 pixels.
func winoInput(s isa) {
	TEXT("winoInput"+s.suffix, NOSPLIT, "func(dst *float32, plane int, src *float32, col, row int, n int)")
	Doc("winoInput" + s.suffix + " sets 16 planes to Bᵀ·d·B of 4×4 pixels d, `col` and `row` bytes apart, for n vectors of channels.")
	dst := []reg.GPPhysical{reg.RAX, reg.RBX, reg.RCX, reg.RDX}
	src := grid{base: []reg.GPPhysical{reg.R8, reg.R9, reg.R10, reg.R11}, col: reg.R12, col3: reg.R13}
	MOVQ(arg("dst"), dst[0])
	MOVQ(arg("plane"), reg.RSI)
	to := planes(dst, reg.RSI, reg.RDI, reg.R8)
	MOVQ(arg("src"), reg.R8)
	MOVQ(arg("col"), reg.R12)
	LEAQ(Mem{Base: reg.R12, Index: reg.R12, Scale: 2}, reg.R13)
	src.rowsAt(arg("row"))
	n := reg.R14
	MOVQ(arg("n"), n)
	loop(n, func() {
		d := func(i, j int) Op { return src.at(i, j) }
		e, t := s.regs[0:4], s.regs[4]
		if s.avx512() { // there are registers for all pixels
			for i := range 16 {
				VMOVUPS(src.at(i/4, i%4), s.regs[16+i])
			}
			d = func(i, j int) Op { return s.regs[16+4*i+j] }
		}
		diff := func(a, b Op, out reg.Register) { // out = a - b
			if _, ok := a.(reg.Register); ok {
				VSUBPS(b, a, out)
				return
			}
			VMOVUPS(a, out)
			VSUBPS(b, out, out)
		}
		for i := range 4 {
			for j := range 4 {
				switch i {
				case 0:
					diff(d(0, j), d(2, j), e[j])
				case 1:
					if r, ok := d(1, j).(reg.Register); ok {
						VADDPS(d(2, j), r, e[j])
					} else {
						VMOVUPS(d(1, j), e[j])
						VADDPS(d(2, j), e[j], e[j])
					}
				case 2:
					diff(d(2, j), d(1, j), e[j])
				case 3:
					diff(d(3, j), d(1, j), e[j])
				}
			}
			VSUBPS(e[2], e[0], t)
			VMOVUPS(t, to.at(i, 0))
			VADDPS(e[2], e[1], t)
			VMOVUPS(t, to.at(i, 1))
			VSUBPS(e[1], e[2], t)
			VMOVUPS(t, to.at(i, 2))
			VSUBPS(e[1], e[3], t)
			VMOVUPS(t, to.at(i, 3))
		}
		src.advance(s.bytes())
		to.advance(s.bytes())
	})
}

// winoGrad writes A·y·Aᵀ of 2×2 pixels.
func winoGrad(s isa) {
	TEXT("winoGrad"+s.suffix, NOSPLIT, "func(dst *float32, plane int, src *float32, col, row int, n int)")
	Doc("winoGrad" + s.suffix + " sets 16 planes to A·y·Aᵀ of 2×2 pixels y, `col` and `row` bytes apart, for n vectors of channels.")
	dst := []reg.GPPhysical{reg.RAX, reg.RBX, reg.RCX, reg.RDX}
	src := grid{base: []reg.GPPhysical{reg.R8, reg.R9}, col: reg.R12}
	MOVQ(arg("dst"), dst[0])
	MOVQ(arg("plane"), reg.RSI)
	to := planes(dst, reg.RSI, reg.RDI, reg.R8)
	MOVQ(arg("src"), reg.R8)
	MOVQ(arg("col"), reg.R12)
	src.rowsAt(arg("row"))
	n := reg.R14
	MOVQ(arg("n"), n)
	y := func(i, j int) reg.Register { return s.regs[2*i+j] }
	e := func(i, j int) reg.Register { // rows of A·y
		if i == 0 || i == 3 {
			return y(i/3, j)
		}
		return s.regs[4+2*(i-1)+j]
	}
	t := s.regs[8]
	loop(n, func() {
		for i := range 4 {
			VMOVUPS(src.at(i/2, i%2), y(i/2, i%2))
		}
		for j := range 2 {
			VADDPS(y(1, j), y(0, j), e(1, j))
			VSUBPS(y(1, j), y(0, j), e(2, j))
		}
		for i := range 4 {
			VMOVUPS(e(i, 0), to.at(i, 0))
			VADDPS(e(i, 1), e(i, 0), t)
			VMOVUPS(t, to.at(i, 1))
			VSUBPS(e(i, 1), e(i, 0), t)
			VMOVUPS(t, to.at(i, 2))
			VMOVUPS(e(i, 1), to.at(i, 3))
		}
		src.advance(s.bytes())
		to.advance(s.bytes())
	})
}

// half sets r to ½ in all lanes.
func half(s isa, r reg.Register) {
	MOVL(U32(0x3f000000), reg.EAX)
	VMOVD(reg.EAX, r.(reg.Vec).AsX())
	VBROADCASTSS(r.(reg.Vec).AsX(), r)
}

// winoFilter writes G·g·Gᵀ of 3×3 planes.
func winoFilter(s isa) {
	TEXT("winoFilter"+s.suffix, NOSPLIT, "func(dst, src *float32, plane int, n int)")
	Doc("winoFilter" + s.suffix + " sets 16 planes to G·g·Gᵀ of 9 planes g, all `plane` bytes apart, for n vectors.")
	h := s.regs[15]
	half(s, h)
	dst := []reg.GPPhysical{reg.RAX, reg.RBX, reg.RCX, reg.RDX}
	MOVQ(arg("dst"), dst[0])
	MOVQ(arg("plane"), reg.RSI)
	to := planes(dst, reg.RSI, reg.RDI, reg.R8)
	src := grid{base: []reg.GPPhysical{reg.R8, reg.R9, reg.R10}, col: reg.RSI}
	MOVQ(arg("src"), reg.R8)
	src.rowsAt(reg.RDI)
	n := reg.R14
	MOVQ(arg("n"), n)
	// mix sets p, q to ½(a+b+c), ½(a-b+c)
	mix := func(a, b, c, p, q reg.Register) {
		VADDPS(c, a, p)
		VSUBPS(b, p, q)
		VADDPS(b, p, p)
		VMULPS(h, p, p)
		VMULPS(h, q, q)
	}
	r := s.regs
	loop(n, func() {
		for j := range 3 { // columns of G·g: rows 0 and 3 are rows 0 and 2 of g
			VMOVUPS(src.at(0, j), r[j])
			VMOVUPS(src.at(1, j), r[12])
			VMOVUPS(src.at(2, j), r[9+j])
			mix(r[j], r[12], r[9+j], r[3+j], r[6+j])
		}
		for i := range 4 {
			a := r[3*i : 3*i+3]
			VMOVUPS(a[0], to.at(i, 0))
			VMOVUPS(a[2], to.at(i, 3))
			mix(a[0], a[1], a[2], r[13], r[14])
			VMOVUPS(r[13], to.at(i, 1))
			VMOVUPS(r[14], to.at(i, 2))
		}
		src.advance(s.bytes())
		to.advance(s.bytes())
	})
}

// winoFilterGrad writes Gᵀ·u·G of 4×4 planes.
func winoFilterGrad(s isa) {
	TEXT("winoFilterGrad"+s.suffix, NOSPLIT, "func(dst *float32, tap int, src *float32, plane int, n int, accumulate int)")
	Doc("winoFilterGrad" + s.suffix + " sets (or adds to) 9 taps, `tap` bytes apart, Gᵀ·u·G of 16 planes u, for n vectors.")
	h := s.regs[15]
	half(s, h)
	from := []reg.GPPhysical{reg.RAX, reg.RBX, reg.RCX, reg.RDX}
	MOVQ(arg("src"), from[0])
	MOVQ(arg("plane"), reg.RSI)
	u := planes(from, reg.RSI, reg.RDI, reg.R8)
	dst := grid{base: []reg.GPPhysical{reg.R8, reg.R9, reg.R10}, col: reg.R12}
	MOVQ(arg("dst"), reg.R8)
	MOVQ(arg("tap"), reg.R12)
	LEAQ(Mem{Base: reg.R12, Index: reg.R12, Scale: 2}, reg.R13)
	dst.rowsAt(reg.R13)
	n, acc := reg.R14, reg.R15
	MOVQ(arg("n"), n)
	MOVQ(arg("accumulate"), acc)
	// fold sets out to Gᵀ of four values: a+½(b+c), ½(b-c), ½(b+c)+d; b and c are lost
	fold := func(a, b, c, d Op, out []reg.Register) {
		rb, rc := b.(reg.Register), c.(reg.Register)
		VSUBPS(rc, rb, out[1])
		VMULPS(h, out[1], out[1])
		VADDPS(rc, rb, rb)
		VMULPS(h, rb, rb)
		VADDPS(a, rb, out[0])
		VADDPS(d, rb, out[2])
	}
	r := s.regs
	Label("loop")
	for j := range 4 { // columns of Gᵀ·u
		VMOVUPS(u.at(1, j), r[12])
		VMOVUPS(u.at(2, j), r[13])
		fold(u.at(0, j), r[12], r[13], u.at(3, j), r[3*j:3*j+3])
	}
	for i := range 3 {
		fold(r[i], r[3+i], r[6+i], r[9+i], []reg.Register{r[12], r[13], r[14]})
		VMOVAPS(r[12], r[i])
		VMOVAPS(r[13], r[3+i])
		VMOVAPS(r[14], r[6+i])
	}
	TESTQ(acc, acc)
	JEQ(LabelRef("store"))
	for i := range 9 {
		VADDPS(dst.at(i/3, i%3), r[3*(i%3)+i/3], r[3*(i%3)+i/3])
	}
	Label("store")
	for i := range 9 {
		VMOVUPS(r[3*(i%3)+i/3], dst.at(i/3, i%3))
	}
	u.advance(s.bytes())
	dst.advance(s.bytes())
	SUBQ(Imm(1), n)
	JGT(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// winoOutput writes Aᵀ·m·A of the planes of several tiles, and finishes them as the tile kernels
// do.
func winoOutput(s isa) {
	TEXT("winoOutput"+s.suffix, NOSPLIT, "func(m *float32, plane, step int, out *float32, outs *int, tiles int, ep *float32, sums *float64, width int, accumulate int)")
	Doc("winoOutput"+s.suffix+" computes 2×2 pixels of one vector of channels for each of several tiles: Aᵀ·m·A of 16 planes m, in",
		"which tiles are `step` bytes apart. outs has the byte offsets of the four pixels of each tile, negative for those",
		"that do not exist. Then as a tileKernel, with rows of ep and sums that are `width` values long.")
	from := []reg.GPPhysical{reg.RAX, reg.RBX, reg.RCX, reg.RDX}
	MOVQ(arg("m"), from[0])
	MOVQ(arg("plane"), reg.RSI)
	m := planes(from, reg.RSI, reg.RDI, reg.R8)
	out, outs, tiles, ep, sums, acc, pixel, width := reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13, reg.R14, reg.R15
	MOVQ(arg("out"), out)
	MOVQ(arg("outs"), outs)
	MOVQ(arg("tiles"), tiles)
	MOVQ(arg("ep"), ep)
	MOVQ(arg("sums"), sums)
	MOVQ(arg("accumulate"), acc)
	MOVQ(arg("width"), width)
	r := s.regs
	sum, square, scale, shift, floor := r[8], r[9], r[10], r[11], r[12]
	zero(s, sum)
	zero(s, square)
	TESTQ(ep, ep)
	JEQ(LabelRef("tile"))
	VMOVUPS(Mem{Base: ep}, scale)
	VMOVUPS(Mem{Base: ep, Index: width, Scale: 4}, shift)
	VMOVUPS(Mem{Base: ep, Index: width, Scale: 8}, floor)

	Label("tile")
	for j := range 4 { // columns of Aᵀ·m
		a, b := r[j], r[4+j]
		VMOVUPS(m.at(1, j), b)
		VMOVUPS(m.at(2, j), r[13])
		VADDPS(m.at(0, j), b, a)
		VADDPS(r[13], a, a)
		VSUBPS(r[13], b, b)
		VADDPS(m.at(3, j), b, b)
	}
	for i := range 2 {
		c := r[4*i : 4*i+4]
		VADDPS(c[1], c[0], c[0])
		VADDPS(c[2], c[0], c[0])
		VSUBPS(c[2], c[1], c[1])
		VADDPS(c[3], c[1], c[1])
	}
	for p := range 4 {
		y := r[4*(p/2)+p%2]
		id := string(rune('0' + p))
		MOVQ(Mem{Base: outs, Disp: 8 * p}, pixel)
		TESTQ(pixel, pixel)
		JLT(LabelRef("next" + id))
		ADDQ(out, pixel)
		TESTQ(acc, acc)
		JEQ(LabelRef("raw" + id))
		VADDPS(Mem{Base: pixel}, y, y)
		Label("raw" + id)
		VADDPS(y, sum, sum)
		VFMADD231PS(y, y, square)
		TESTQ(ep, ep)
		JEQ(LabelRef("store" + id))
		VFMADD213PS(shift, scale, y)
		VMAXPS(y, floor, y)
		Label("store" + id)
		VMOVUPS(y, Mem{Base: pixel})
		Label("next" + id)
	}
	ADDQ(Imm(32), outs)
	for _, b := range m.base {
		ADDQ(arg("step"), b)
	}
	SUBQ(Imm(1), tiles)
	JGT(LabelRef("tile"))
	TESTQ(sums, sums)
	JEQ(LabelRef("done"))
	addDoubles(s, sum, r[0], r[1], sums, 0)
	LEAQ(Mem{Base: sums, Index: width, Scale: 8}, sums)
	addDoubles(s, square, r[0], r[1], sums, 0)
	Label("done")
	VZEROUPPER()
	RET()
}
