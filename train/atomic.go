package train

import (
	"fmt"
	"os"
	"path/filepath"
)

// writeAtomic writes a file so that at any moment, whatever happens, path is either the old file or the whole new one: into a
// temporary file beside it, which is synced and then renamed. A failed write removes the temporary file.
func writeAtomic(path string, write func(f *os.File) error) (err error) {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	f, err := os.Create(temp)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(temp)
		}
	}()
	if err := write(f); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	syncDir(filepath.Dir(path))
	return nil
}

// WriteFile writes a file so that at any moment path is either the old file or the whole new one.
func WriteFile(path string, data []byte) error {
	return writeAtomic(path, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

// linkAtomic makes path another name of the file existing, or, on file systems without links, a copy.
func linkAtomic(existing, path string) error {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	os.Remove(temp)
	if err := os.Link(existing, temp); err == nil {
		if err := os.Rename(temp, path); err != nil {
			return err
		}
		// Renaming one name of a file to another of the same does nothing, and leaves both.
		os.Remove(temp)
		syncDir(filepath.Dir(path))
		return nil
	}
	src, err := os.Open(existing)
	if err != nil {
		return err
	}
	defer src.Close()
	return writeAtomic(path, func(f *os.File) error {
		_, err := f.ReadFrom(src)
		return err
	})
}

// syncDir makes a rename durable. Not every file system can; what it cannot is no reason to stop.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
