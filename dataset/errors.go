package dataset

import (
	"fmt"
	"io/fs"
	"strings"
)

// FileError says what is wrong with a file of a data set, where the fault is, and what helps.
type FileError struct {
	File   string // path, or "embedded …"
	Offset int64  // byte in the (decompressed) file; -1 if the position is meaningless
	Record int    // index of the image; -1 if the fault is not of a single image
	Err    error
	Remedy string // what the user can do about it
}

// Error returns one line: file, position, fault, remedy. Bytes of names that are not UTF-8 are
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

// Unwrap returns the underlying error, for errors.Is with fs.ErrNotExist or io.ErrUnexpectedEOF.
func (e *FileError) Unwrap() error { return e.Err }

// fileError returns a FileError about a whole file. An *fs.PathError is reduced to its cause,
// because the message already names the file.
func fileError(file string, err error, remedy string) *FileError {
	if p, ok := err.(*fs.PathError); ok {
		err = p.Err
	}
	return &FileError{File: file, Offset: -1, Record: -1, Err: err, Remedy: remedy}
}
