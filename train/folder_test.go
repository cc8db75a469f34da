package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
)

// Runs that begin in the same second get folders of their own, each with its own process's lock.
func TestRunsOfOneSecond(t *testing.T) {
	c := tinyConfig()
	c.Out = filepath.Join(t.TempDir(), "runs")
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.Local)
	var all sync.WaitGroup
	paths := make([]string, 6)
	for i := range paths {
		all.Go(func() {
			f, err := NewFolder(&c, now)
			if err != nil {
				t.Error(err)
				return
			}
			paths[i] = filepath.Base(f.Path)
			if _, err := LockFolder(f.Path); err == nil {
				t.Error("the folder is not locked")
			}
		})
	}
	all.Wait()
	want := []string{"20260701-120000-tiny"}
	for n := 2; n <= len(paths); n++ {
		want = append(want, fmt.Sprintf("20260701-120000-tiny-%d", n))
	}
	require.ElementsMatch(t, want, paths)

	c.Name = "mine"
	_, err := NewFolder(&c, now)
	require.NoError(t, err)
	_, err = NewFolder(&c, now)
	require.ErrorIs(t, err, os.ErrExist)
	require.ErrorContains(t, err, "choose another --name")
	require.ErrorContains(t, err, "is at work in")
	_, err = FindCheckpoint(filepath.Join(c.Out, "mine"), false)
	require.ErrorAs(t, err, new(*LockedError))
	require.ErrorContains(t, err, "has no checkpoint yet: this process ")
}

// A run that fails before it has logged anything leaves no folder, and the previous run stays the
// last.
func TestFailedRunFreesItsName(t *testing.T) {
	c := tinyConfig()
	c.Out, c.Name = t.TempDir(), "before"
	begin := func() *Folder {
		f, err := NewFolder(&c, time.Now())
		require.NoError(t, err)
		return f
	}
	s, _ := setup(t, c)
	_, err := trainer(t, s).Run(t.Context(), begin())
	require.NoError(t, err)

	c.Name = "again"
	for _, change := range []func(*Setup){
		func(s *Setup) { s.Backend = failing{s.Backend, new(int)} },
		func(s *Setup) {
			bad := allBad{bars{52, -1}}
			s.Data = &dataset.Set{Train: bad, Test: bad}
		},
	} {
		s, _ := setup(t, c)
		change(&s)
		f := begin()
		_, err := trainer(t, s).Run(t.Context(), f)
		require.ErrorContains(t, err, "the folder "+f.Path+" is removed")
		require.NoDirExists(t, f.Path)
	}
	last, err := FindRun(LastRun, c.Out)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(c.Out, "before"), last)

	// The same holds for a run that diverges at once, unless an ablation runs it: the ablation
	// counts it.
	diverges := c
	diverges.LR, diverges.Warmup, diverges.LogEvery = Num(1e30), 0, 20
	for _, folder := range []*Folder{begin(), folder(t, diverges)} {
		s, _ := setup(t, diverges)
		_, err := trainer(t, s).Run(t.Context(), folder)
		require.ErrorAs(t, err, new(*DivergedError))
		if folder.newest {
			require.NoDirExists(t, folder.Path)
		} else {
			require.FileExists(t, folder.Summary())
		}
	}

	// A run that is interrupted can be resumed, and a run that fails later has a log.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, _ = setup(t, c)
	f := begin()
	_, err = trainer(t, s).Run(ctx, f)
	require.ErrorAs(t, err, new(*InterruptedError))
	require.FileExists(t, f.Last())
	c.Name = "later"
	s, _ = setup(t, c)
	left := 2
	s.Backend = failing{s.Backend, &left}
	f = begin()
	_, err = trainer(t, s).Run(t.Context(), f)
	require.ErrorContains(t, err, "there is no checkpoint yet")
	require.DirExists(t, f.Path)
	last, err = FindRun(LastRun, c.Out)
	require.NoError(t, err)
	require.Equal(t, f.Path, last)
	_, err = NewFolder(&c, time.Now())
	require.ErrorContains(t, err, "has no checkpoint to go on from")
}

// allBad is a source whose images cannot be read.
type allBad struct{ bars }

func (s allBad) Decode(int, *dataset.Image) (int32, error) {
	return 0, &dataset.FileError{File: "bars/0.png", Record: -1, Err: os.ErrInvalid}
}

// A process does not train in a folder where another one does. Files that a killed process has left
// half-written are removed.
func TestRunLocksItsFolder(t *testing.T) {
	c := tinyConfig()
	f := folder(t, c)
	stray := filepath.Join(filepath.Dir(f.Last()), ".last.ckpt.ABC.tmp")
	s, r := setup(t, c)
	other := &Folder{Path: f.Path}
	r.onEvent = func(e Event) {
		if _, ok := e.(Started); ok {
			require.ErrorAs(t, other.Lock(), new(*LockedError))
		}
	}
	_, err := trainer(t, s).Run(t.Context(), f)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(stray, nil, 0o600))
	l, err := LockFolder(f.Path)
	require.NoError(t, err)
	s, r = setup(t, c)
	_, err = trainer(t, s).Run(t.Context(), other)
	require.ErrorAs(t, err, new(*LockedError))
	require.Empty(t, r.events)
	require.FileExists(t, stray)
	require.NoError(t, l.Unlock())
	require.NoError(t, other.Lock())
	require.NoFileExists(t, stray)
	require.NoError(t, other.Unlock())
	require.NoError(t, other.Unlock(), "a second time does nothing")
}

func TestFindRun(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.MkdirAll("runs/b/checkpoints", 0o755))
	find := func(name string) string {
		path, err := FindRun(name, "runs")
		if err != nil {
			return err.Error()
		}
		return path
	}
	require.Equal(t, "no run was trained in runs yet, which the file runs/last would name: name a run's folder", find("last"))
	require.Equal(t, "runs/last", find("runs/last"), "whoever opens it says that it is not there")
	require.NoError(t, os.WriteFile("runs/last", []byte("b\n"), 0o644))
	abs, err := filepath.Abs("runs")
	require.NoError(t, err)
	for name, want := range map[string]string{
		"last": "runs/b", "runs/last": "runs/b", "./runs/last/": "runs/b", "runs/last/checkpoints/best.ckpt": "runs/b/checkpoints/best.ckpt",
		filepath.Join(abs, "last"): filepath.Join(abs, "b"), "runs/b": "runs/b", "x/last": "x/last", "other": "other", "": "",
	} {
		require.Equal(t, want, find(name), name)
	}
	for _, text := range []string{"", "../b\n", "a/b\n", "two\nlines\n", ".."} { // not a LastRun file
		require.NoError(t, os.WriteFile("runs/last", []byte(text), 0o644))
		require.Equal(t, "runs/last", find("last"), "%q", text)
	}
	require.NoError(t, os.WriteFile("runs/last", []byte("gone\n"), 0o644))
	require.Equal(t, "runs/last names the run runs/gone, which is not there: name a run's folder", find("last"))
	require.NoError(t, os.Remove("runs/last"))
	require.NoError(t, os.Mkdir("runs/last", 0o755)) // a run that is called last
	require.Equal(t, "runs/last", find("last"))
	require.NoError(t, os.Remove("runs/last"))
	require.NoError(t, os.Mkdir("last", 0o755))
	require.Equal(t, "last", find("last"))
}

// panics is a state that panics when it is read.
type panics struct {
	graph.State
	with error
}

func (s panics) Get(graph.Part, *graph.Param) (*tensor.Dense, error) { panic(s.with) }

// A run that was killed at any moment of the end of an epoch goes on as if it had not been killed.
func TestKilledAtTheEndOfAnEpoch(t *testing.T) {
	c := tinyConfig()
	whole, events := runWhole(t, c)
	best := ofType[EpochEnded](events)[1].Best
	wantBest, err := os.ReadFile(whole.folder.Best())
	require.NoError(t, err)
	killed := errors.New("killed")
	resume := func(f *Folder, die func(Event, *Trainer) bool) {
		s, r := setup(t, c)
		var tr *Trainer
		if ck, err := OpenCheckpoint(f.Last()); err == nil {
			defer ck.Close()
			s.Resume = ck
		}
		r.onEvent = func(e Event) {
			if die(e, tr) {
				panic(killed)
			}
		}
		defer func() {
			if x := recover(); x != nil {
				require.Equal(t, killed, x)
			}
			require.NoError(t, f.Unlock())
			f.made = false
		}()
		tr = trainer(t, s)
		state := tr.state
		defer func() { tr.state = state }()
		_, err := tr.Run(t.Context(), f)
		require.NoError(t, err)
	}
	never := func(Event, *Trainer) bool { return false }
	epochEnds := func(e Event, tr *Trainer) bool { // the epoch ends, and the log has it
		if _, ok := e.(EpochEnded); ok {
			tr.state = panics{tr.state, killed}
		}
		return false
	}
	saves := func(e Event, _ *Trainer) bool { saved, ok := e.(Saved); return ok && saved.Step == 12 }

	// The run is interrupted after the last update, then killed when the log has the epoch but no
	// checkpoint has it.
	f := folder(t, c)
	s, r := setup(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	r.onEvent = func(e Event) {
		if e, ok := e.(Stepped); ok && e.Step == 12 {
			cancel()
		}
	}
	_, err = trainer(t, s).Run(ctx, f)
	require.ErrorAs(t, err, new(*InterruptedError))
	resume(f, epochEnds)
	resume(f, never)
	_, epochs, err := f.ReadLog()
	require.NoError(t, err)
	require.Len(t, epochs, 2)
	requireSameNumbers(t, f)

	// The run is killed between writing last.ckpt and best.ckpt.
	f = folder(t, c)
	resume(f, saves)
	require.NoFileExists(t, f.Summary())
	resume(f, never)
	got, err := os.ReadFile(f.Best())
	require.NoError(t, err)
	require.Equal(t, len(wantBest), len(got))
	last, err := OpenCheckpoint(f.Best())
	require.NoError(t, err)
	defer last.Close()
	require.Equal(t, best, last.Progress.Epoch == 2)
	summary, err := f.ReadSummary()
	require.NoError(t, err)
	require.True(t, summary.Finished)
	require.NotNil(t, summary.Last)
	require.Equal(t, ofType[EpochEnded](events)[1].Test, summary.Last.Test)
}

// A run that goes back to an older checkpoint continues from its position.
func TestGoBack(t *testing.T) {
	c := tinyConfig()
	c.Epochs = 3
	whole, _ := runWhole(t, c)
	f := whole.folder
	older := filepath.Join(filepath.Dir(f.Last()), "older.ckpt")
	s, r := setup(t, c)
	r.onEvent = func(e Event) {
		if e, ok := e.(Saved); ok && e.Step == 6 {
			text, err := os.ReadFile(e.Path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(older, text, 0o644))
		}
	}
	g := folder(t, c)
	_, err := trainer(t, s).Run(t.Context(), g)
	require.NoError(t, err)
	s, _ = setup(t, c)
	s.Resume, err = OpenCheckpoint(older)
	require.NoError(t, err)
	defer s.Resume.Close()
	ctx, cancel := context.WithCancel(t.Context())
	s.Report = func(e Event) {
		if _, ok := e.(Started); ok {
			ck, err := OpenCheckpoint(f.Last())
			require.NoError(t, err)
			require.Equal(t, 6, ck.Progress.Step)
			require.NoError(t, ck.Close())
			cancel()
		}
	}
	_, err = trainer(t, s).Run(ctx, f)
	require.ErrorAs(t, err, new(*InterruptedError))
	_, epochs, err := f.ReadLog()
	require.NoError(t, err)
	require.Len(t, epochs, 1)
}
