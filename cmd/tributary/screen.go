package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/term"

	"github.com/tributary-ml/tributary/internal/plain"
)

// screen is standard output or standard error. Text that is written to it reaches a terminal
// without control characters (package plain), which names of files and classes may contain. Only
// the screen itself draws: a line below the text, which it can remove again.
type screen struct {
	*plain.Writer
	raw   io.Writer
	size  func() int // columns, queried for every line, because the user may change them; nil if the output is no terminal
	drawn int        // columns of the drawn line, 0 if there is none
}

// newScreen returns the screen of a command's output.
func newScreen(w io.Writer) *screen {
	s := &screen{Writer: plain.NewWriter(w), raw: w}
	// A dumb terminal, such as an editor's, cannot overwrite a line.
	if f, ok := w.(interface{ Fd() uintptr }); ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd())) {
		s.size = func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 0
			}
			return width
		}
	}
	return s
}

// screenOf returns the screen that a command writes to.
func screenOf(out io.Writer) *screen {
	if s, ok := out.(*screen); ok {
		return s
	}
	return newScreen(out)
}

// terminal reports whether a line can be drawn.
func (s *screen) terminal() bool { return s.size != nil }

// noTerminal is the width of text if there is no terminal.
const noTerminal = 80

// width returns the number of columns in a line.
func (s *screen) width() int {
	if s.terminal() {
		if w := s.size(); w > 0 { // some terminals, as in containers, do not know their width
			return w
		}
	}
	return noTerminal
}

// draw shows a line that the next one replaces. The line must be shorter than the terminal is wide.
func (s *screen) draw(line string) {
	if !s.terminal() {
		return
	}
	s.toStart()
	fmt.Fprintf(s.raw, "%s\x1b[K", plain.Text(line))
	s.drawn = columns(plain.Text(line))
}

// clear removes the drawn line, so that text can be written.
func (s *screen) clear() {
	if s.drawn > 0 {
		s.toStart()
		fmt.Fprint(s.raw, "\x1b[K")
		s.drawn = 0
	}
}

// toStart moves to the beginning of the drawn line. If the terminal has become narrower, most
// terminals have broken the line into several; xterm has cut it off.
func (s *screen) toStart() {
	if above := (s.drawn - 1) / s.width(); above > 0 && os.Getenv("XTERM_VERSION") == "" {
		fmt.Fprintf(s.raw, "\r\x1b[%dA\x1b[J", above)
		return
	}
	fmt.Fprint(s.raw, "\r")
}

// wrap returns text broken at spaces into lines for the screen. Lines after the first begin with
// indent. Without a terminal the text stays on one line, because programs read it.
func (s *screen) wrap(text, indent string) string {
	if !s.terminal() {
		return text
	}
	return wrap(text, s.width(), indent)
}

// printf is fmt.Fprintf for arguments with untrusted names. A newline in a name does not become a
// line break.
func printf(out io.Writer, format string, args ...any) {
	fmt.Fprintf(out, format, plainArgs(args)...)
}

// plainArgs returns the arguments of a format without control characters and newlines.
func plainArgs(args []any) []any {
	all := slices.Clone(args)
	for i, a := range all {
		switch v := a.(type) {
		case string:
			all[i] = plain.Text(v)
		case error:
			all[i] = plain.Error(v)
		}
	}
	return all
}
