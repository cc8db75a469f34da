// Package human formats numbers for people.
package human

import (
	"fmt"
	"strconv"
	"time"
)

// Thousands returns a whole number with commas.
func Thousands[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Quantity returns a large number with three digits and a unit prefix: 1.50 G.
func Quantity(n int64) string {
	for _, u := range []struct {
		factor float64
		name   string
	}{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if v := float64(n) / u.factor; v >= 1 {
			return threeDigits(v) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// Bytes returns a number of bytes in binary units.
func Bytes(n int64) string {
	v := float64(n)
	for _, u := range []string{"B", "KiB", "MiB", "GiB"} {
		if v < 1024 || u == "GiB" {
			return threeDigits(v) + " " + u
		}
		v /= 1024
	}
	return ""
}

func threeDigits(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// Duration returns seconds as 1m20s, or as 9.8s below ten.
func Duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if seconds < 10 {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// Count returns a number of things: "1 update", "2 updates".
func Count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// Percent returns a share in percent.
func Percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }
