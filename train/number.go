package train

import (
	"fmt"
	"math"
	"strconv"
)

// auto is the text of a Number that is left open.
const auto = "auto"

// Number is a number, or open: then the code that reads it chooses a default. The zero value is
// open and is written "auto".
type Number struct {
	value float64
	given bool
}

// Num returns the Number v.
func Num(v float64) Number { return Number{v, true} }

// Or returns the number, or v if it is open.
func (n Number) Or(v float64) float64 {
	if n.given {
		return n.value
	}
	return v
}

// IsAuto reports whether the number is open.
func (n Number) IsAuto() bool { return !n.given }

// String returns the number as text, or "auto".
func (n Number) String() string {
	if !n.given {
		return auto
	}
	return strconv.FormatFloat(n.value, 'g', -1, 64)
}

// Set parses the form that String writes. With String and Type it makes *Number a flag's value.
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

// Type returns the kind of value for a flag's help.
func (n *Number) Type() string { return "number" }
