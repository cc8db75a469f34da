package ablate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/atomicfile"
	"github.com/tributary-ml/tributary/internal/plainfile"
	"github.com/tributary-ml/tributary/train"
)

// Ablation is a plan at work. It writes to one folder:
//
//	ablation.yaml      the plan: tributary ablate --resume goes on with it
//	VARIANT/seedN/     each run, a folder as any run's
//	results.json       what came out so far
//	results.md         the same as a table
//	curves.csv         every run, epoch by epoch
//	steps.csv          every run, interval by interval
//	figure.svg         the curves, drawn
//	lock.json          who is at work in it, while somebody is
type Ablation struct {
	Plan    *Plan
	Folder  string
	Classes int // that the network tells apart
	// Open makes what a run is made of: all of a train.Setup but Config, Resume and GradNorms. It may fill in what the run's
	// configuration leaves to the data, and places heads that are auxhead.Auto.
	Open func(context.Context, *Run) (train.Setup, error)
	// Show is told what came out so far, after every run; nil: nobody looks.
	Show func(*Results) error
	// Warn is told why there is no figure; nil: nobody looks. Everything else is there.
	Warn func(error)
	draw func(*Results) ([]byte, error) // of a test; nil: Results.Figure
}

// Run trains the runs that are not done yet, one after another. When ctx ends, the run under way saves a checkpoint, and Run returns
// the *train.InterruptedError; the next Run goes on from there. A run that diverges is recorded, and the others go on.
func (a *Ablation) Run(ctx context.Context) (_ *Results, err error) {
	if err := os.MkdirAll(a.Folder, 0o755); err != nil {
		return nil, err
	}
	lock, err := train.LockFolder(a.Folder)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err := a.takeFolder(); err != nil {
		return nil, err
	}
	if lock.Locks() {
		if err := atomicfile.RemoveStrays(a.Folder); err != nil {
			return nil, err
		}
	}
	for _, r := range a.Plan.Runs(a.Folder) {
		state, _, err := r.state()
		if err != nil {
			return nil, err
		}
		if state == Finished || state == Diverged {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := a.train(ctx, r); err != nil {
			return nil, err
		}
		results, err := a.results()
		if err != nil {
			return nil, err
		}
		if a.Show != nil {
			if err := a.Show(results); err != nil {
				return nil, err
			}
		}
	}
	return a.results()
}

// File is the path of an ablation's plan in its folder.
func File(folder string) string { return filepath.Join(folder, "ablation.yaml") }

// Read reads the plan of a folder.
func Read(folder string) (train.Config, Options, error) {
	c, o := train.Default(), DefaultOptions()
	text, err := plainfile.Read(File(folder), train.MaxConfig)
	if err != nil {
		return c, o, fmt.Errorf("%w: name the folder of an ablation", err)
	}
	return c, o, c.ReadYAMLWith(File(folder), text, Section, o.Settings())
}

// takeFolder makes the folder the ablation's, or makes sure that the one that exists is of the same runs.
func (a *Ablation) takeFolder() error {
	other, _, err := Read(a.Folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		entries, err := os.ReadDir(a.Folder)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() != train.LockFile }) {
			return fmt.Errorf("the folder %s is there, and is no ablation's: choose another --name", a.Folder)
		}
	case err != nil:
		return err
	default:
		if err := a.Plan.continues(a.Folder, &other); err != nil {
			return err
		}
	}
	return atomicfile.WriteBytes(File(a.Folder), a.Plan.YAML())
}

// State is how far a run is.
type State string

// The states.
const (
	Pending  State = "pending" // not begun, or not at its end
	Finished State = "finished"
	Diverged State = "diverged"
)

// state reads how far a run is, and what its summary says if there is one.
func (r *Run) state() (State, *train.Summary, error) {
	s, err := r.Folder.ReadSummary()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Pending, nil, nil
	case err != nil:
		return "", nil, err
	case s.Finished:
		return Finished, s, nil
	case s.Diverged != "":
		return Diverged, s, nil
	}
	return Pending, s, nil
}

// train trains a run, from its checkpoint where it has one.
func (a *Ablation) train(ctx context.Context, r *Run) (err error) {
	var begun *train.Checkpoint
	if err := r.Folder.Lock(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer func() { err = errors.Join(err, r.Folder.Unlock()) }()
	if path, err := train.FindCheckpoint(r.Folder.Path, false); err == nil {
		if begun, err = train.OpenCheckpoint(path); err != nil {
			return err
		}
		defer begun.Close()
		if _, auto, _ := auxhead.ParseAuto(r.Config.Heads, auxhead.Defaults{}); auto {
			r.Config.Heads = begun.Config.Heads // they stay where they are
		}
	} else if err := errors.Join(r.Folder.Unlock(), os.RemoveAll(r.Folder.Path)); err != nil { // it ended before its first checkpoint: nothing to go on from
		return err
	}
	s, err := a.Open(ctx, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Backend.Close()) }()
	defer s.Data.Close()
	s.Config, s.Resume, s.GradNorms = r.Config, begun, []string{stem(s.Graph)}
	t, err := train.New(s)
	if err != nil {
		return fmt.Errorf("%s, seed %d: %w", r.Variant, r.Seed, err)
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	if s.Resume == nil {
		if r.Folder, err = train.CreateFolder(r.Config.Out, r.Config.Name, &r.Config); err != nil {
			return err
		}
	}
	_, err = t.Run(ctx, r.Folder)
	if errors.As(err, new(*train.DivergedError)) {
		if state, _, _ := r.state(); state == Diverged {
			return nil
		}
	}
	return err
}

// stem is the name of a network's first filters, whose gradient shows what of the losses arrives at the bottom.
func stem(g *graph.Graph) string {
	for _, p := range g.Params() {
		if p.Role == graph.Weight {
			return p.Name
		}
	}
	return ""
}

// results reads what came out so far, and writes it down: the results, then the figure, which costs no result where it fails.
func (a *Ablation) results() (*Results, error) {
	r, err := a.collect()
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		text []byte
	}{
		{"results.json", append(text, '\n')}, {"results.md", r.Markdown()}, {"curves.csv", r.Curves()}, {"steps.csv", r.Steps()},
	} {
		if err := atomicfile.WriteBytes(filepath.Join(a.Folder, f.name), f.text); err != nil {
			return nil, err
		}
		r.Files = append(r.Files, f.name)
	}
	if err := a.drawFigure(r); err == nil {
		r.Files = append(r.Files, figureName)
	} else if a.Warn != nil {
		a.Warn(fmt.Errorf("%s: %w; the results are in %s", filepath.Join(a.Folder, figureName), err, strings.Join(r.Files, ", ")))
	}
	return r, nil
}

const figureName = "figure.svg"

// drawFigure leaves no older figure where it fails: it would show other results.
func (a *Ablation) drawFigure(r *Results) error {
	draw, path := a.draw, filepath.Join(a.Folder, figureName)
	if draw == nil {
		draw = (*Results).Figure
	}
	drawn, err := draw(r)
	if err == nil {
		err = atomicfile.WriteBytes(path, drawn)
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}
