package plain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"cat.jpg": "cat.jpg",
		"Käse, 猫, 👩‍👩‍👧 and √2":    "Käse, 猫, 👩‍👩‍👧 and √2",
		`back\slash "quoted"`:      `back\slash "quoted"`,
		"\x1b[31mred\x1b[0m":       `\x1b[31mred\x1b[0m`,
		"\x1b]0;title\a":           `\x1b]0;title\x07`,
		"a\nb\tc\rd\x7f\x00":       `a\nb\tc\rd\u007f\x00`,
		"\u009b31m\u0085":          `\u009b31m\u0085`, // CSI and NEL of C1
		"\x9b31m":                  `\x9B31m`,         // the same as a byte
		"a\xffb\xe2\x82":           `a\xFFb\xE2\x82`,
		"exe\u202egpj.cat":         `exe\u202egpj.cat`,
		"\u2066\u061c\u200f\u2028": `\u2066\u061c\u200f\u2028`,
		"\ufffd is a character":    "\ufffd is a character",
	} {
		require.Equal(t, want, Text(in))
	}
}

func TestError(t *testing.T) {
	path := &fs.PathError{Op: "open", Path: "a\nb\x1b", Err: fs.ErrNotExist}
	for want, err := range map[string]error{
		`open a\nb\x1b: file does not exist`:                   path,
		"x: one\\n\ntwo, and more":                             fmt.Errorf("x: %w, and more", errors.Join(errors.New("one\n"), errors.New("two"))),
		"one\nopen a\\nb\\x1b: file does not exist\nthree":     errors.Join(errors.New("one"), path, errors.New("three")),
		`n\nn: open a\nb\x1b: file does not exist and \nother`: fmt.Errorf("n\nn: %w and %w", path, errors.New("\nother")),
		"in:\n  a\\nb\n  c, so":                                fmt.Errorf("%w, so", List{"in:", "  a\nb", "  c"}),
		`own\ntext`:                                            errors.New("own\ntext"),
	} {
		require.Equal(t, want, Error(err))
	}
}

// A text in pieces is written as Text writes each of its lines.
func TestWriter(t *testing.T) {
	text := []byte("a猫\x1b[2J\n\tb\xe7\x8c\u202e\u009b\xff👩 end\xf0\x9f")
	want := "a猫" + `\x1b[2J` + "\n\tb" + `\xE7\x8C\u202e\u009b\xFF` + "👩 end" + `\xF0\x9F`
	for size := 1; size <= len(text); size++ {
		var out bytes.Buffer
		w := NewWriter(&out)
		for rest := text; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			n, err := w.Write(rest[:min(size, len(rest))])
			require.NoError(t, err)
			require.Equal(t, min(size, len(rest)), n)
			require.True(t, utf8.Valid(out.Bytes()))
		}
		require.NoError(t, w.Close())
		require.Equal(t, want, out.String(), size)
	}
}

// A line of JSON keeps its meaning.
func TestWriterKeepsJSON(t *testing.T) {
	name := "\x1b\x00\u007f\u009b\u202e\u2028猫"
	var out bytes.Buffer
	require.NoError(t, json.NewEncoder(NewWriter(&out)).Encode(name))
	require.NotContains(t, out.String(), "\u009b")
	var back string
	require.NoError(t, json.Unmarshal(out.Bytes(), &back))
	require.Equal(t, name, back)
}
