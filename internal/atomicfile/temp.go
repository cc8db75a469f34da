package atomicfile

import (
	"io"
	"os"
)

// temp is a file that is being written.
type temp struct {
	*os.File
	name   string // empty if it has no name yet
	closed bool
}

// create creates the file that will become path, without a name if that is possible.
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

// giveName gives an unnamed file a temporary name. If the file system cannot link it, it is copied.
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

// discard removes a file that was not published.
func (t *temp) discard() {
	if !t.closed {
		t.Close()
	}
	if t.name != "" {
		os.Remove(t.name)
	}
}
