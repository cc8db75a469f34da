//go:build (linux || darwin) && !static

package turbojpeg

import "github.com/ebitengine/purego"

// read reads the rows that are left, in one call from Go: it takes a few tenths of a microsecond, a row takes about one.
func (s *state) read() { purego.SyscallN(readRowsAddress(), address(&s.call)) }
