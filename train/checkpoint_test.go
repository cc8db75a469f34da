package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/atomicfile"
	"github.com/tributary-ml/tributary/interop"
)

// small returns the bytes of a checkpoint of a run that has made no update.
func small(t testing.TB) []byte {
	t.Helper()
	c := tinyConfig()
	c.Mean, c.Std, c.Resize, c.Interpolation = "0.4", "0.3", squash, "bilinear"
	meta, err := (&Checkpoint{Config: c, Network: "tiny", Data: DataInfo{Classes: []string{"a", "b"}}}).metadata()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "c.ckpt")
	require.NoError(t, atomicfile.Write(path, func(f *os.File) error {
		return interop.Write(f, []interop.Tensor{{Name: "value/w", Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}}, {Name: "ema/w", Shape: []int{2, 2}, Data: []float32{5, 6, 7, 8}}}, meta)
	}))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	sum, at, err := fileSum(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	copy(data[at:], sum)
	return data
}

func TestCheckpointNoticesEveryChange(t *testing.T) {
	data := small(t)
	open := func(b []byte) error {
		_, err := readCheckpoint(bytes.NewReader(b), int64(len(b)), "c.ckpt")
		return err
	}
	require.NoError(t, open(data))
	for i := range data {
		for _, flip := range []byte{1, 0x80} {
			b := bytes.Clone(data)
			b[i] ^= flip
			var e *CheckpointError
			require.ErrorAs(t, open(b), &e, "byte %d", i)
			require.Contains(t, e.Error(), "c.ckpt")
		}
	}
	for n := range data {
		require.ErrorContains(t, open(data[:n]), "damaged", "cut to %d bytes", n)
	}
	require.ErrorContains(t, open(append(bytes.Clone(data), 0)), "damaged")
}

func TestCheckpointIsNotOne(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenCheckpoint(dir)
	require.ErrorContains(t, err, "is a folder, not a file")
	path := filepath.Join(dir, "w.safetensors")
	require.NoError(t, interop.WriteFile(path, []interop.Tensor{{Name: "w", Shape: []int{1}, Data: []float32{1}}}, nil))
	_, err = OpenCheckpoint(path)
	require.ErrorContains(t, err, "--init")
	_, err = FindCheckpoint(filepath.Join(dir, "missing"), false)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = FindCheckpoint(dir, false)
	require.ErrorContains(t, err, "has no checkpoint")
	_, err = FolderOf(path)
	require.ErrorContains(t, err, "--init")
}

// A checkpoint is a safetensors file that other programs can read.
func TestCheckpointIsSafetensors(t *testing.T) {
	tr, _ := runWhole(t, tinyConfig())
	f, err := interop.Open(tr.folder.Best())
	require.NoError(t, err)
	defer f.Close()
	v, err := f.Tensor("value/fc/bias/bias")
	require.NoError(t, err)
	require.Equal(t, []int{4}, v.Shape)
	require.Len(t, f.Names(), len(stateKeys(tr.state)))
}

// fullState fails to return its tensors, as a broken device does.
type fullState struct {
	graph.State
	err error
}

func (s fullState) Get(part graph.Part, p *graph.Param) (*tensor.Dense, error) {
	if s.err != nil {
		return nil, s.err
	}
	v, err := s.State.Get(part, p)
	if err == nil {
		v.Data().([]float32)[0] = float32(math.Inf(1))
	}
	return v, err
}

// A save that fails within the run is a warning, and the run goes on; at the end it is the run's
// error.
func TestRunGoesOnWithoutCheckpoint(t *testing.T) {
	for _, device := range []error{errors.New("device lost"), nil} {
		s, r := setup(t, tinyConfig())
		dir := folder(t, s.Config)
		tr := trainer(t, s)
		good := tr.state
		r.onEvent = func(e Event) {
			if e, ok := e.(EpochEnded); ok && e.Epoch == 2 {
				tr.state = fullState{good, device}
			}
		}
		_, err := tr.Run(context.Background(), dir)
		tr.state = good
		require.ErrorContains(t, err, "the checkpoint of step 6 is intact")
		if device == nil {
			require.ErrorContains(t, err, "diverged")
		}
		require.Empty(t, ofType[Warning](r), "the error says it once")
		require.Equal(t, 1, strings.Count(err.Error(), dir.Path), err)
		ck, err := OpenCheckpoint(dir.Last())
		require.NoError(t, err)
		require.Equal(t, 6, ck.Progress.Step)
		ck.Close()
	}
}

// No input makes the parser panic or allocate more memory than the file has; accepted input can be
// read.
func FuzzCheckpoint(f *testing.F) {
	data := small(f)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		// Make the checksum right if there is a place for it, so that the input reaches the parser
		// behind it.
		if sum, at, err := fileSum(bytes.NewReader(b), int64(len(b))); err == nil {
			b = bytes.Clone(b)
			copy(b[at:], sum)
		}
		c, err := readCheckpoint(bytes.NewReader(b), int64(len(b)), "fuzz.ckpt")
		if err != nil {
			return
		}
		if err := c.Check(tinyNet(0)); err != nil {
			require.ErrorAs(t, err, new(*CheckpointError))
		}
		for _, name := range c.Names() {
			if _, err := c.Tensor(graph.Value, name); err != nil {
				require.NotContains(t, err.Error(), "unknown")
			}
		}
	})
}
