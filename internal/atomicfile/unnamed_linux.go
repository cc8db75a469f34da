package atomicfile

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// createUnnamed creates a file without a name in path's folder. It returns nil if the file system
// does not support that; network file systems do not. Errors name the file path.
func createUnnamed(path string) *os.File {
	fd, err := unix.Open(filepath.Dir(path), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o666)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), path)
	if _, err := os.Stat(ownName(f)); err != nil { // without /proc it could never get a name
		f.Close()
		return nil
	}
	return f
}

// linkUnnamed gives the file a name.
func linkUnnamed(f *os.File, name string) error {
	return unix.Linkat(unix.AT_FDCWD, ownName(f), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
}

func ownName(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }
