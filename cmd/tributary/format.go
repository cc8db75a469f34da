package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rivo/uniseg"

	"github.com/tributary-ml/tributary/internal/plain"
)

// thousands writes a whole number with commas.
func thousands[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// quantity writes a large number with three digits and a factor: 1.50 G.
func quantity(n int64) string {
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

// size writes bytes in binary units.
func size(n int64) string {
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

// duration writes seconds as 1m20s, or 9.8s below ten.
func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if seconds < 10 {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// quoted makes a path one word of a shell: of bash and zsh where it has characters that a terminal may act on.
func quoted(path string) string {
	if plain.Text(path) != path {
		var b strings.Builder
		for _, c := range []byte(path) {
			switch {
			case c == '\'' || c == '\\':
				b.WriteString(`\` + string(c))
			case c < ' ' || c >= 0x7f:
				fmt.Fprintf(&b, `\x%02x`, c)
			default:
				b.WriteByte(c)
			}
		}
		return "$'" + b.String() + "'"
	}
	if strings.ContainsAny(path, " '\"\\$&|;<>()*?[]#~!`{}") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// count writes a number of things: "1 update", "2 updates".
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// columns is how many columns of a terminal a text takes.
func columns(text string) int { return uniseg.StringWidth(text) }

// wrap breaks text at spaces into lines of at most width columns, where its words allow it; lines after the first begin with indent.
func wrap(text string, width int, indent string) string {
	var out strings.Builder
	at := 0
	for i, word := range strings.Split(text, " ") {
		n := columns(word)
		switch {
		case i == 0:
		case at+1+n > width && at > columns(indent):
			out.WriteString("\n" + indent)
			at = columns(indent)
		default:
			out.WriteByte(' ')
			at++
		}
		out.WriteString(word)
		at += n
	}
	return out.String()
}
