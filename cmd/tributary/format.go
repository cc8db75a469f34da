package main

import (
	"fmt"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/tributary-ml/tributary/internal/plain"
)

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
