package train

import (
	"context"
	"io"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// disk is a file on a disk that has room for a limited number of bytes.
type disk struct {
	io.WriteCloser
	room *int
}

func (d disk) Write(p []byte) (int, error) {
	n, err := d.WriteCloser.Write(p[:min(len(p), *d.room)])
	*d.room -= n
	if err == nil && n < len(p) {
		err = syscall.ENOSPC
	}
	return n, err
}

// A full disk costs one warning for each file; once there is room again, the files get what they
// lack, whole.
func TestFullDisk(t *testing.T) {
	c := tinyConfig()
	c.GradflowEvery = 2
	_, whole := runWhole(t, c)
	s, r := setup(t, c)
	tr := trainer(t, s)
	const ample = 1 << 30
	room := ample
	r.onEvent = func(e Event) {
		switch e := e.(type) {
		case Started:
			for _, a := range []*appender{&tr.log.appender, &tr.flow.log.appender, &tr.board.appender} {
				a.file = disk{a.file, &room}
			}
		case Stepped:
			switch e.Step {
			case 3:
				room = 100 // a part of a line or a record
			case 9:
				room = ample
			}
		}
	}
	f := folder(t, c)
	_, err := tr.Run(context.Background(), f)
	require.NoError(t, err)
	warnings := ofType[Warning](r)
	require.Len(t, warnings, 3)
	for _, name := range []string{f.Log(), f.Gradflow(), "events.out.tfevents."} {
		require.Contains(t, warnings[0].Message+warnings[1].Message+warnings[2].Message, name)
	}
	require.Contains(t, warnings[0].Message, syscall.ENOSPC.Error())

	intervals, epochs, err := f.ReadLog()
	require.NoError(t, err)
	require.Len(t, intervals, len(ofType[Interval](whole)))
	require.Equal(t, ofType[EpochEnded](whole)[1].Test, epochs[1].Test)
	flows, err := f.ReadFlows()
	require.NoError(t, err)
	require.Len(t, flows, len(ofType[Flowed](whole)))
	requireSameNumbers(t, f)

	// If there is no room until the end, the run says so, and its checkpoint exists.
	s, r = setup(t, c)
	tr = trainer(t, s)
	r.onEvent = func(e Event) {
		if _, ok := e.(Started); ok {
			none := 0
			tr.board.file = disk{tr.board.file, &none}
		}
	}
	f = folder(t, c)
	_, err = tr.Run(context.Background(), f)
	require.ErrorIs(t, err, syscall.ENOSPC)
	ck, err := OpenCheckpoint(f.Last())
	require.NoError(t, err)
	require.Equal(t, c.Epochs, ck.Progress.Epoch)
	require.NoError(t, ck.Close())
}
