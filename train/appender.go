package train

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// appender appends whole lines or records to a file of a run. Data that cannot be written, as on a
// full disk, stays pending, and the next flush tries again.
type appender struct {
	name    string // for errors
	file    io.WriteCloser
	pending bytes.Buffer
	failed  bool // the last flush failed, and its error was returned
}

// flush writes the pending data. Of several failures in a row it returns only the first.
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

// lateFile opens its file at the first write of data. A process that is killed earlier leaves no
// empty file behind.
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
