package train

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// appender appends to a file of a run, in whole lines or records. What cannot be written, as on a full disk, is kept and tried again.
type appender struct {
	name    string // for errors
	file    io.WriteCloser
	pending bytes.Buffer
	failed  bool // and reported
}

// flush writes what is pending. It returns the first of several failures only.
func (a *appender) flush() error {
	_, err := a.pending.WriteTo(a.file)
	if err == nil {
		a.failed = false
		return nil
	}
	if a.failed {
		return nil
	}
	a.failed = true
	return fmt.Errorf("%s cannot be written (%w): what it lacks is kept and will be tried again", a.name, err)
}

func (a *appender) close() error {
	_, err := a.pending.WriteTo(a.file)
	return errors.Join(err, a.file.Close())
}

// lateFile is a file that is opened when there is something to write, so that a process that is killed before leaves no empty one.
type lateFile struct {
	path  string
	flags int
	file  *os.File
}

func (f *lateFile) Write(p []byte) (int, error) {
	if f.file == nil {
		if len(p) == 0 {
			return 0, nil
		}
		file, err := os.OpenFile(f.path, f.flags|os.O_WRONLY, 0o644)
		if err != nil {
			return 0, err
		}
		f.file = file
	}
	return f.file.Write(p)
}

func (f *lateFile) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
