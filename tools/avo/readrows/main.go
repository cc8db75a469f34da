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
	Doc("readRows is a function of the C ABI, void readRows(struct rowsCall *c). It calls",
		"(*c->function)(c->object, c->rows, c->left), advances by the number of rows that this returns,",
		"and repeats until no row is left or no row comes. At its entry the stack is aligned as C",
		"requires, except for the return address, and it preserves the registers that C preserves.")
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
	Doc("readRowsAddress returns the address of readRows.")
	at := GP64()
	LEAQ(Mem{Symbol: Symbol{Name: "·readRows"}, Base: reg.StaticBase}, at)
	Store(at, ReturnIndex(0))
	RET()
	Generate()
}
