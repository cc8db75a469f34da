package interop

import (
	"encoding/binary"
	"math"
)

// dtype is an element type of a safetensors file.
type dtype struct {
	name string
	size int
	// float32, float64 and int64 decode an element; nil if that would lose precision, or if no
	// caller needs it.
	float32 func(b []byte) float32
	float64 func(b []byte) float64
	int64   func(b []byte) int64
}

// dtypes is the table of the format's element types. Types without a decoder are listed so that a
// file can be opened if it has such a tensor among others.
var dtypes = []dtype{
	{"F64", 8, nil, readF64, nil},
	{"F32", 4, readF32, func(b []byte) float64 { return float64(readF32(b)) }, nil},
	{"F16", 2, readF16, func(b []byte) float64 { return float64(readF16(b)) }, nil},
	{"BF16", 2, readBF16, func(b []byte) float64 { return float64(readBF16(b)) }, nil},
	{"I64", 8, nil, nil, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }},
	{"I32", 4, nil, nil, func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }},
	{"U8", 1, nil, nil, func(b []byte) int64 { return int64(b[0]) }},
	{name: "U64", size: 8}, {name: "U32", size: 4}, {name: "I16", size: 2}, {name: "U16", size: 2}, {name: "I8", size: 1},
	{name: "BOOL", size: 1}, {name: "F8_E4M3", size: 1}, {name: "F8_E5M2", size: 1},
}

func lookupDType(name string) (dtype, bool) {
	for _, d := range dtypes {
		if d.name == name {
			return d, true
		}
	}
	return dtype{}, false
}

func readF64(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }

func readF32(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }

func readBF16(b []byte) float32 {
	return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16)
}

// readF16 decodes an IEEE 754 half: 1 sign, 5 exponent and 10 mantissa bits. Every half is a
// float32.
func readF16(b []byte) float32 {
	h := uint32(binary.LittleEndian.Uint16(b))
	sign, exp, frac := h>>15<<31, h>>10&0x1f, h&0x3ff
	switch exp {
	case 0: // zero and subnormal: frac · 2^-24
		v := float32(frac) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 0x1f: // infinity and NaN
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}
