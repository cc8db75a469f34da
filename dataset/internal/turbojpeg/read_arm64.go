//go:build (linux || darwin) && !static

package turbojpeg

import (
	"unsafe"

	"github.com/ebitengine/purego"
)

// read reads the remaining rows.
func (s *state) read() {
	for c := &s.call; c.left > 0; {
		n, _, _ := purego.SyscallN(c.function, c.object, c.rows, c.left)
		if n &= 1<<32 - 1; n == 0 {
			return
		}
		c.rows += n * unsafe.Sizeof(c.rows)
		c.left -= n
	}
}
