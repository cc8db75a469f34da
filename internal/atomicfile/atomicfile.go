// Package atomicfile writes files whole or not at all: whatever happens, a power cut too, a path names the old file or the new one.
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

// Write makes path the file that write writes. It is synchronised before it gets its name, under which the old file stays until
// then; a write that fails leaves that as it was. Where the system can, the new file has no name until it is whole, so that a
// process that is killed leaves nothing; elsewhere it has one of those that [RemoveStrays] removes. A link is followed. What is
// no file, such as /dev/stdout or a pipe, is written to as it is. Errors name path once.
func Write(path string, write func(*os.File) error) error {
	if err := replace(path, write, true); err != nil {
		return fmt.Errorf("writing %s: %w", path, cause(err, path))
	}
	return nil
}

// WriteBytes is Write of some bytes.
func WriteBytes(path string, data []byte) error {
	return Write(path, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

// replace is Write with a file that has no name until it is whole, or with one that has a temporary one.
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

// overwrite writes to what is no file that could be replaced.
func overwrite(path string, write func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// isDevice says that a path is an open file of a process, such as /dev/stdout: whoever opened it would not see another file.
func isDevice(path string) bool {
	full, err := filepath.Abs(path)
	return err == nil && (strings.HasPrefix(full, "/dev/") && !strings.HasPrefix(full, "/dev/shm/") || strings.HasPrefix(full, "/proc/"))
}

// Link makes path another name of the file existing, or, on file systems without links, a copy.
func Link(existing, path string) error {
	temp := tempName(path)
	if err := os.Link(existing, temp); err == nil {
		err := os.Rename(temp, path)
		os.Remove(temp) // renaming one name of a file to another of the same does nothing, and leaves both
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
	longest = 200 // bytes of a name that its temporary one has, so that the file system takes that, too
)

// tempName is a name beside path that no other file has.
func tempName(path string) string {
	dir, base := filepath.Split(path)
	base = strings.ToValidUTF8(base[:min(len(base), longest)], "")
	return filepath.Join(dir, "."+base+"."+rand.Text()+tempEnd)
}

// RemoveStrays removes what killed processes left in a folder under temporary names. Nobody else may be writing there.
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

// cause is an error without the path of the file that it happened with, where the reader is told that already.
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

// syncDir makes a rename durable. Not every file system can; what it cannot is no reason to stop.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
