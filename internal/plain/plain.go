// Package plain makes text harmless for a terminal. Names of files, classes and heads, keys of
// configurations, and messages about them are not trusted: an escape sequence in one of them could
// recolour, overwrite or retitle the user's terminal.
package plain

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s on one line. Control characters, bytes that are not UTF-8, and characters that
// turn the direction of writing or end a line become escapes such as \x1b, \n and \u202e. All other
// characters stay unchanged.
func Text(s string) string { return string(appendPlain(nil, []byte(s), "")) }

// List is an error of several lines: what is wrong, and below it the details.
type List []string

func (l List) Error() string { return strings.Join(l, "\n") }

// Lines returns the lines of the message. Every error with this method is shown in lines.
func (l List) Lines() []string { return l }

// Error returns an error's message as Text, but keeps the newlines that join several errors, and
// those of a [List].
func Error(err error) string {
	if l, ok := err.(interface{ Lines() []string }); ok {
		var lines []string
		for _, s := range l.Lines() {
			lines = append(lines, Text(s))
		}
		return strings.Join(lines, "\n")
	}
	text := err.Error()
	var parts []error
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		parts = e.Unwrap()
	case interface{ Unwrap() error }:
		parts = []error{e.Unwrap()}
	}
	// The text of an error around the errors that it wraps is its own.
	var out strings.Builder
	for i, p := range parts {
		if p == nil {
			continue
		}
		before, after, found := strings.Cut(text, p.Error())
		if !found {
			continue
		}
		if i > 0 && before == "\n" { // errors.Join
			out.WriteString(before)
		} else {
			out.WriteString(Text(before))
		}
		out.WriteString(Error(p))
		text = after
	}
	out.WriteString(Text(text))
	return out.String()
}

// Writer writes Text, except that it keeps newlines and tabs. It is for whole streams, in which a
// character may arrive in two pieces.
type Writer struct {
	w       io.Writer
	pending []byte // the beginning of an incomplete character
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	all := p
	if len(w.pending) > 0 {
		all = append(w.pending, p...)
		w.pending = nil
	}
	end := len(all)
	for i := max(0, end-utf8.UTFMax+1); i < end; i++ {
		if utf8.RuneStart(all[i]) && !utf8.FullRune(all[i:]) {
			w.pending = append([]byte(nil), all[i:]...)
			end = i
		}
	}
	if end > 0 {
		if _, err := w.w.Write(appendPlain(nil, all[:end], "\n\t")); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Close writes the rest of an incomplete character. The underlying writer stays open.
func (w *Writer) Close() error {
	if len(w.pending) == 0 {
		return nil
	}
	_, err := w.w.Write(appendPlain(nil, w.pending, ""))
	w.pending = nil
	return err
}

// appendPlain appends text to dst, without escaping the characters in keep.
func appendPlain(dst, text []byte, keep string) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1:
			dst = fmt.Appendf(dst, `\x%02X`, text[0])
		case !unsafe(r) || strings.ContainsRune(keep, r):
			dst = append(dst, text[:n]...)
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r < ' ':
			dst = fmt.Appendf(dst, `\x%02x`, r)
		default: // also an escape of JSON, so that a line of JSON keeps its meaning
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
		text = text[n:]
	}
	return dst
}

// unsafe reports whether a terminal may act on a character: C0 and C1 controls, DEL, line and
// paragraph separators, and characters that turn the direction of writing.
func unsafe(r rune) bool {
	return r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}
