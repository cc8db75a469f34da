package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/term"

	"github.com/tributary-ml/tributary/internal/plain"
)

// screen is standard output or error. What is written to it reaches a terminal without control characters (package plain): names
// of files and classes can hold any. Only the screen itself draws, a line below the text that it takes away again.
type screen struct {
	*plain.Writer
	raw   io.Writer
	size  func() int // columns, asked again for every line: the user may change them; nil where nobody looks at a terminal
	drawn int        // columns of the line that is drawn, 0 without one
}

// newScreen is the screen of a command's output.
func newScreen(w io.Writer) *screen {
	s := &screen{Writer: plain.NewWriter(w), raw: w}
	// A dumb terminal, such as an editor's, cannot write over a line.
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

// screenOf is the screen that a command writes to.
func screenOf(out io.Writer) *screen {
	if s, ok := out.(*screen); ok {
		return s
	}
	return newScreen(out)
}

// terminal says whether a line can be drawn.
func (s *screen) terminal() bool { return s.size != nil }

// noTerminal is the width of text where there is no terminal.
const noTerminal = 80

// width is how many columns a line has.
func (s *screen) width() int {
	if s.terminal() {
		if w := s.size(); w > 0 { // some, as in containers, do not know theirs
			return w
		}
	}
	return noTerminal
}

// draw shows a line that the next one replaces. It is shorter than the terminal is wide.
func (s *screen) draw(line string) {
	if !s.terminal() {
		return
	}
	s.toStart()
	fmt.Fprintf(s.raw, "%s\x1b[K", plain.Text(line))
	s.drawn = columns(plain.Text(line))
}

// clear takes the drawn line away, so that text can be written.
func (s *screen) clear() {
	if s.drawn > 0 {
		s.toStart()
		fmt.Fprint(s.raw, "\x1b[K")
		s.drawn = 0
	}
}

// toStart goes to the beginning of the drawn line. Where the terminal has become narrower, the line is broken into several, as most
// terminals do; xterm cuts it off.
func (s *screen) toStart() {
	if above := (s.drawn - 1) / s.width(); above > 0 && os.Getenv("XTERM_VERSION") == "" {
		fmt.Fprintf(s.raw, "\r\x1b[%dA\x1b[J", above)
		return
	}
	fmt.Fprint(s.raw, "\r")
}

// wrap is text broken at spaces into lines for the screen, those after the first one behind indent. Text for nobody's terminal
// stays on one line, as programs read it.
func (s *screen) wrap(text, indent string) string {
	if !s.terminal() {
		return text
	}
	return wrap(text, s.width(), indent)
}

// printf is fmt.Fprintf of text in which names of strangers stand: a newline in one of them is not one of the text.
func printf(out io.Writer, format string, args ...any) {
	fmt.Fprintf(out, format, plainArgs(args)...)
}

// plainArgs are the arguments of a format, harmless and without newlines.
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
