package main

import (
	"fmt"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/tributary-ml/tributary/internal/plain"
)

// quoted quotes a path as one word of a shell. If it has characters on which a terminal may act,
// only bash and zsh understand the result.
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

// columns returns the number of a terminal's columns that a text occupies.
func columns(text string) int { return uniseg.StringWidth(text) }

// wrap breaks text at spaces into lines of at most width columns, if its words allow it. Lines
// after the first begin with indent.
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
