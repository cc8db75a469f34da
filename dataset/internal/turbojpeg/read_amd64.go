//go:build (linux || darwin) && !static

package turbojpeg

import "github.com/ebitengine/purego"

// read reads the remaining rows in one call from Go, because a call takes a few tenths of a
// microsecond and a row about one.
func (s *state) read() { purego.SyscallN(readRowsAddress(), address(&s.call)) }
