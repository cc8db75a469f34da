package atomicfile

import (
	"io"
	"os"
)

// temp is a file in the making.
type temp struct {
	*os.File
	name   string // empty where it has none yet
	closed bool
}

// create makes the file that will be path, without a name if that is possible.
func create(path string, unnamed bool) (*temp, error) {
	if unnamed {
		if f := createUnnamed(path); f != nil {
			return &temp{File: f}, nil
		}
	}
	name := tempName(path)
	f, err := createNamed(name)
	if err != nil {
		return nil, err
	}
	return &temp{File: f, name: name}, nil
}

func createNamed(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
}

// publish gives the file its name.
func (t *temp) publish(path string) error {
	if t.name == "" {
		if err := t.giveName(tempName(path)); err != nil {
			return err
		}
	}
	t.closed = true
	if err := t.Close(); err != nil {
		return err
	}
	if err := os.Rename(t.name, path); err != nil {
		return err
	}
	t.name = ""
	return nil
}

// giveName gives a file without a name a temporary one. Where the file system links no files, it is copied.
func (t *temp) giveName(name string) error {
	if linkUnnamed(t.File, name) == nil {
		t.name = name
		return nil
	}
	st, err := t.Stat()
	if err != nil {
		return err
	}
	f, err := createNamed(name)
	if err != nil {
		return err
	}
	whole := t.File
	defer whole.Close()
	t.File, t.name = f, name
	if _, err := io.Copy(f, io.NewSectionReader(whole, 0, st.Size())); err != nil {
		return err
	}
	if err := f.Chmod(st.Mode().Perm()); err != nil {
		return err
	}
	return f.Sync()
}

// discard removes what was not published.
func (t *temp) discard() {
	if !t.closed {
		t.Close()
	}
	if t.name != "" {
		os.Remove(t.name)
	}
}
