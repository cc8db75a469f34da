package train

import (
	"fmt"
	"math"
	"strconv"
)

// auto is how a Number that is left to its rule is written.
const auto = "auto"

// Number is a setting that is a number, or is left to the rule that reads it: "auto", the zero value.
type Number struct {
	value float64
	given bool
}

// Num is the Number v.
func Num(v float64) Number { return Number{v, true} }

// Or is the number, or v where it is left open.
func (n Number) Or(v float64) float64 {
	if n.given {
		return n.value
	}
	return v
}

// IsAuto says that the number is left open.
func (n Number) IsAuto() bool { return !n.given }

// String writes the number, or "auto".
func (n Number) String() string {
	if !n.given {
		return auto
	}
	return strconv.FormatFloat(n.value, 'g', -1, 64)
}

// Set reads what String writes. With String and Type it makes *Number a flag's value.
func (n *Number) Set(s string) error {
	if s == auto {
		*n = Number{}
		return nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%q is neither a number nor %q", s, auto)
	}
	*n = Num(v)
	return nil
}

// Type names the kind of value in a flag's help.
func (n *Number) Type() string { return "number" }
