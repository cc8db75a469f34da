package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/tributary-ml/tributary/train"
)

// output is standard output. The first write that fails, as on a full disk or a closed pipe, ends
// the command: a run saves, and the exit code shows the failure.
type output struct {
	io.Writer
	end context.CancelCauseFunc

	mu  sync.Mutex
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.err == nil {
			o.err = err
			o.end(outputError{err})
		}
	}
	return n, err
}

// Fd returns the output's file descriptor, for code that checks whether the output is a terminal.
func (o *output) Fd() uintptr {
	if f, ok := o.Writer.(*os.File); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}

// failed returns the command's error. If output was lost, it is an outputError.
func (o *output) failed(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return err
	}
	var interrupted *train.InterruptedError
	if errors.As(err, &interrupted) {
		return outputError{fmt.Errorf("%w; the run is saved after step %d, train --resume %s goes on", cause(o.err), interrupted.Step, quoted(interrupted.Checkpoint))}
	}
	if err == nil || errors.Is(err, context.Canceled) || sameFile(err, o.err) {
		return outputError{cause(o.err)}
	}
	return errors.Join(err, outputError{cause(o.err)}) // such as an error that nothing could be saved either
}

// sameFile reports whether two errors are of the same file.
func sameFile(a, b error) bool {
	var x, y *os.PathError
	return errors.As(a, &x) && errors.As(b, &y) && x.Path == y.Path || errors.Is(a, b)
}

// outputError says that a command's output was lost.
type outputError struct{ error }

func (e outputError) Error() string { return "standard output cannot be written: " + e.error.Error() }

func (e outputError) Unwrap() error { return e.error }

// cause returns an error without the file's name.
func cause(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
