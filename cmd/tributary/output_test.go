package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/train"
)

// A command whose output is lost says so. It also reports other errors: the message that a run
// could not be saved must not be lost too.
func TestLostOutputHidesNoError(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("the system has no /dev/full")
	}
	defer full.Close()
	_, end := context.WithCancelCause(context.Background())
	o := &output{Writer: full, end: end}
	_, err = o.Write([]byte("x"))
	require.Error(t, err)
	const lost = "standard output cannot be written: no space left on device"
	require.EqualError(t, o.failed(nil), lost)
	require.EqualError(t, o.failed(context.Canceled), lost)
	require.EqualError(t, o.failed(err), lost)
	_, again := o.Write([]byte("y"))
	require.EqualError(t, o.failed(again), lost, "another write that failed")
	unsaved := fmt.Errorf("no checkpoint could be written: %w", syscall.ENOSPC)
	both := o.failed(unsaved)
	require.EqualError(t, both, unsaved.Error()+"\n"+lost)
	require.Equal(t, exitFailure, exitCode(both))
	require.ErrorContains(t, o.failed(&train.InterruptedError{Checkpoint: "c", Step: 3, Cause: context.Canceled}), "--resume c goes on")
}
