package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Help is as wide as the terminal, or 80 columns if there is none. Only commands for copying are
// longer.
func TestHelpWraps(t *testing.T) {
	for _, width := range []int{40, 60, 80, 120, 0} {
		for _, c := range newRoot().Commands() {
			var out bytes.Buffer
			s := newScreen(&out)
			if width > 0 {
				s.size = func() int { return width }
			}
			root := newRoot()
			root.SetOut(s)
			root.SetArgs([]string{c.Name(), "--help"})
			require.NoError(t, root.Execute())
			section, text := "", out.String()
			for line := range strings.SplitSeq(text, "\n") {
				if line != "" && !strings.HasPrefix(line, " ") && strings.HasSuffix(line, ":") {
					section = line
				}
				if section != "Usage:" && section != "Examples:" {
					require.LessOrEqual(t, columns(line), s.width(), "%s at %d columns: %q", c.Name(), width, line)
				}
			}
			require.Contains(t, text, "tributary "+c.Name())
			if width == 120 && c.Name() == "train" {
				require.Contains(t, text, "auxiliary heads: default, none, auto[:weight[:kind]] (a short run finds the places), or\n", "it is used")
			}
		}
	}
}

func TestReflow(t *testing.T) {
	text := "one two\nthree four five\n\nlist\n  name  what it is\n        and more\n  code stays as it is, however long\nend of it"
	require.Equal(t, `one two three
four five

list
  name
        what it
        is and
        more
  code stays as it is, however long
end of it`, reflow(text, 16))
	require.Contains(t, reflow("  name  "+strings.Repeat("x ", 20), 40), strings.Repeat("x ", 15)+"x\n"+strings.Repeat(" ", 8)+"x x x x")
	require.Equal(t, `one two three four five

list
  name  what it is and more
  code stays as it is, however long
end of it`, reflow(text, 100))
}

func TestVersionFlag(t *testing.T) {
	r := command(t, "--version")
	require.Equal(t, exitOK, r.code)
	require.Regexp(t, `^tributary \S.*\n$`, r.out)
	require.True(t, strings.HasPrefix(command(t, "version").out, r.out), "the same version")
}
