package dataset

import (
	"fmt"
	"io/fs"
	"strings"
)

// FileError says what is wrong with a file of a data set, where, and what helps.
type FileError struct {
	File   string // path, or "embedded …"
	Offset int64  // byte in the (decompressed) file, -1 if the position says nothing
	Record int    // image counted from 0, -1 if the fault is no single image's
	Err    error
	Remedy string // what the user can do about it
}

// Error is one line: file, position, fault, remedy. What is not UTF-8 in names is
// written as \xE9.
func (e *FileError) Error() string {
	var s strings.Builder
	s.WriteString(e.File)
	if e.Offset >= 0 {
		fmt.Fprintf(&s, ": byte %d", e.Offset)
	}
	if e.Record >= 0 {
		fmt.Fprintf(&s, ": record %d", e.Record)
	}
	fmt.Fprintf(&s, ": %v", e.Err)
	if e.Remedy != "" {
		fmt.Fprintf(&s, " (%s)", e.Remedy)
	}
	return quoteName(s.String())
}

// Unwrap returns the fault, for errors.Is with fs.ErrNotExist or
// io.ErrUnexpectedEOF.
func (e *FileError) Unwrap() error { return e.Err }

// fileError is a FileError about a whole file. An error of the system that names the file, too, gives its cause only.
func fileError(file string, err error, remedy string) *FileError {
	if p, ok := err.(*fs.PathError); ok {
		err = p.Err
	}
	return &FileError{File: file, Offset: -1, Record: -1, Err: err, Remedy: remedy}
}
