// Command readrows writes the assembly of package turbojpeg: a loop of calls to the library, which
// replaces some hundred calls from Go by one. Run it with go generate ./dataset/internal/turbojpeg;
// its output depends only on its source.
package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand" //nolint:staticcheck // operands read as assembly does
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in struct rowsCall.
const (
	function = 8 * iota
	object
	rows
	left
)

func main() {
	ConstraintExpr("linux,!static darwin,!static")

	TEXT("readRows", attr.NOSPLIT|attr.NOFRAME, "func()")
	Doc("readRows is a function of the C ABI, void readRows(struct rowsCall *c): it calls (*c->function)(c->object, c->rows, c->left), steps",
		"over as many rows as that returns, and goes on until none is left, or none comes. C's stack is aligned at its entry but for the",
		"return address, and the registers that it keeps are C's.")
	PUSHQ(reg.RBX)
	MOVQ(reg.RDI, reg.RBX)
	Label("more")
	MOVQ(Mem{Base: reg.RBX, Disp: object}, reg.RDI)
	MOVQ(Mem{Base: reg.RBX, Disp: rows}, reg.RSI)
	MOVQ(Mem{Base: reg.RBX, Disp: left}, reg.RDX)
	MOVQ(Mem{Base: reg.RBX, Disp: function}, reg.RAX)
	Instruction(&ir.Instruction{Opcode: "CALL", Operands: []Op{reg.RAX}}) // avo has CALL only for labels
	MOVL(reg.EAX, reg.ECX)
	TESTQ(reg.RCX, reg.RCX)
	JZ(LabelRef("end"))
	MOVQ(reg.RCX, reg.RDX)
	SHLQ(Imm(3), reg.RDX)
	ADDQ(reg.RDX, Mem{Base: reg.RBX, Disp: rows})
	SUBQ(reg.RCX, Mem{Base: reg.RBX, Disp: left})
	JNZ(LabelRef("more"))
	Label("end")
	POPQ(reg.RBX)
	RET()

	TEXT("readRowsAddress", attr.NOSPLIT, "func() uintptr")
	Doc("readRowsAddress is where readRows lies.")
	at := GP64()
	LEAQ(Mem{Symbol: Symbol{Name: "·readRows"}, Base: reg.StaticBase}, at)
	Store(at, ReturnIndex(0))
	RET()
	Generate()
}
