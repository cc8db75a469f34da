// Package atomicfile writes files whole or not at all: whatever happens, even a power cut, a path
// names the old file or the new one.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Write makes path the file that write writes. The new file is synchronised before it replaces the
// old one, and a failed write leaves the old one unchanged. If the system supports it, the new file
// has no name until it is whole, so that a killed process leaves nothing behind. Otherwise it has a
// temporary name, and [RemoveStrays] removes it. Write follows links. It writes directly to paths
// that are not regular files, such as /dev/stdout or a pipe. Errors name path once.
func Write(path string, write func(*os.File) error) error {
	if err := replace(path, write, true); err != nil {
		return fmt.Errorf("writing %s: %w", path, cause(err, path))
	}
	return nil
}

// WriteBytes is Write for bytes.
func WriteBytes(path string, data []byte) error {
	return Write(path, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

// replace does the work of Write, with a new file that is unnamed until it is whole, or has a
// temporary name.
func replace(path string, write func(*os.File) error, unnamed bool) error {
	old, err := os.Stat(path)
	switch {
	case err == nil && old.IsDir():
		return errors.New("it is a folder")
	case err == nil && (!old.Mode().IsRegular() || isDevice(path)):
		return overwrite(path, write)
	case err == nil:
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	f, err := create(path, unnamed)
	if err != nil {
		return err
	}
	defer f.discard()
	if old != nil {
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := write(f.File); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.publish(path); err != nil {
		return err
	}
	syncDir(filepath.Dir(path))
	return nil
}

// overwrite writes directly to a path that cannot be replaced.
func overwrite(path string, write func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// isDevice reports whether a path is an open file of a process, such as /dev/stdout. The process
// that opened it would not see a new file.
func isDevice(path string) bool {
	full, err := filepath.Abs(path)
	return err == nil && (strings.HasPrefix(full, "/dev/") && !strings.HasPrefix(full, "/dev/shm/") || strings.HasPrefix(full, "/proc/"))
}

// Link makes path another name of the file existing, or a copy on file systems without links.
func Link(existing, path string) error {
	temp := tempName(path)
	if err := os.Link(existing, temp); err == nil {
		err := os.Rename(temp, path)
		os.Remove(temp) // renaming between two names of the same file does nothing and leaves both
		if err != nil {
			return fmt.Errorf("writing %s: %w", path, cause(err, path))
		}
		syncDir(filepath.Dir(path))
		return nil
	}
	src, err := os.Open(existing)
	if err != nil {
		return err
	}
	defer src.Close()
	return Write(path, func(f *os.File) error {
		_, err := f.ReadFrom(src)
		return err
	})
}

const (
	tempEnd = ".tmp"
	longest = 200 // maximum bytes of the name's beginning in its temporary name, so that the file system accepts that too
)

// tempName returns a name beside path that no other file has.
func tempName(path string) string {
	dir, base := filepath.Split(path)
	base = strings.ToValidUTF8(base[:min(len(base), longest)], "")
	return filepath.Join(dir, "."+base+"."+rand.Text()+tempEnd)
}

// RemoveStrays removes files with temporary names that killed processes left in a folder. No other
// process may be writing there.
func RemoveStrays(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && strings.HasSuffix(e.Name(), tempEnd) && e.Type().IsRegular() {
			errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// cause returns an error without its file's path, if the message names the path already.
func cause(err error, path string) error {
	var at *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &at) && filepath.Dir(at.Path) == filepath.Dir(path):
		return at.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// syncDir makes a rename durable. Errors are ignored, because not every file system supports it.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
