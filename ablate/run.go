package ablate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/atomicfile"
	"github.com/tributary-ml/tributary/internal/plainfile"
	"github.com/tributary-ml/tributary/train"
)

// Ablation carries out a plan. It writes to one folder:
//
//	ablation.yaml      the plan: tributary ablate --resume goes on with it
//	VARIANT/seedN/     each run, a folder like any run's
//	results.json       the results so far
//	results.md         the same as a table
//	curves.csv         every run, epoch by epoch
//	steps.csv          every run, interval by interval
//	figure.svg         the curves, drawn
//	lock.json          which process is at work in it, while one is
type Ablation struct {
	Plan    *Plan
	Folder  string
	Classes int // number of classes of the network
	// Options are the options of every run.
	Options tributary.Options
	// Begin is called before a run is opened; nil: no reports.
	Begin func(*Run)
	// Show is called with the results so far, after every run; nil: no reports.
	Show func(*Results) error
	// Warn is called with the error if the figure cannot be drawn; nil: no warnings. The other
	// files are written in any case.
	Warn  func(error)
	noted map[string]bool                // notes that were reported
	draw  func(*Results) ([]byte, error) // set by tests; nil: Results.Figure
}

// New plans an ablation of a configuration in a folder. An empty folder stands for one in
// Config.Out that is named after the network and the data. New reports every possible error of a
// variant. For that it opens the data and the device, and closes them again.
func New(ctx context.Context, c train.Config, options Options, folder string, o tributary.Options) (_ *Ablation, err error) {
	if o.Heads != nil {
		return nil, &tributary.ConfigError{Err: errors.New("Options.Heads: an ablation takes the heads from its variants: name them there")}
	}
	if err := o.Complete(&c); err != nil {
		return nil, err
	}
	first := o.Buildable(&c)
	p, err := o.Open(ctx, &first)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	c.ImageSize = first.ImageSize
	notes := p.Data.Notes
	if text := c.FitBatch(p.Data.Train.Len()); text != "" {
		notes = append(notes, text)
	}
	o.Note(notes...)
	defaults, err := o.Defaults(&c)
	if err != nil {
		return nil, err
	}
	plan, err := NewPlan(c, options, defaults)
	if err != nil {
		return nil, &tributary.ConfigError{Err: err}
	}
	info := p.Data.Train.Info()
	a := &Ablation{Plan: plan, Folder: folder, Classes: len(info.Classes), Options: o}
	for _, n := range notes {
		a.note(n)
	}
	if a.Folder == "" {
		a.Folder = filepath.Join(c.Out, cmp.Or(c.Name, plan.Name()))
	}
	for _, r := range plan.Runs(a.Folder) {
		c := o.Buildable(&r.Config)
		if _, err := o.Build(&c, len(info.Classes), info.C); err != nil {
			return nil, fmt.Errorf("variant %s: %w", r.Variant, err)
		}
	}
	return a, nil
}

// Run trains the runs that are not done yet, one after another. When ctx ends, the current run
// saves a checkpoint, and Run returns the *train.InterruptedError; the next call of Run goes on
// from there. A run that diverges is recorded, and the others go on.
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

// File returns the path of an ablation's plan in its folder.
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

// takeFolder prepares the folder for the ablation. If the folder has a plan already, takeFolder
// checks that it is of the same runs.
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

// State is the state of a run.
type State string

// The states.
const (
	Pending  State = "pending" // not begun, or not finished
	Finished State = "finished"
	Diverged State = "diverged"
)

// state returns the state of a run, and its summary if there is one.
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

// train trains a run, from its checkpoint if it has one.
func (a *Ablation) train(ctx context.Context, r *Run) (err error) {
	run, err := a.open(ctx, r)
	if err != nil {
		return fmt.Errorf("%s, seed %d: %w", r.Variant, r.Seed, err)
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	_, err = run.Train(ctx)
	if errors.As(err, new(*train.DivergedError)) {
		if state, _, _ := r.state(); state == Diverged {
			return nil
		}
	}
	return err
}

// open prepares a run: a new one in its folder, or the one that began there.
func (a *Ablation) open(ctx context.Context, r *Run) (*tributary.Run, error) {
	o := a.Options
	o.GradNorms = stem
	o.Report = a.once(o.Report)
	if err := a.inputOfOthers(r); err != nil {
		return nil, err
	}
	if path, err := train.FindCheckpoint(r.Folder.Path, false); err == nil {
		o.Change = func(c *train.Config) error {
			if _, auto, _ := auxhead.ParseAuto(r.Config.Heads, auxhead.Defaults{}); auto {
				r.Config.Heads = c.Heads // the heads stay at their places
			}
			r.Config.AdoptInput(c)
			a.begin(r)
			*c = r.Config
			return nil
		}
		return tributary.Resume(ctx, path, o)
	}
	if err := r.discard(); err != nil {
		return nil, err
	}
	a.begin(r)
	run, err := tributary.New(ctx, r.Config, o)
	if err != nil {
		return nil, err
	}
	if run.Folder, err = train.CreateFolder(r.Config.Out, r.Config.Name, run.Config); err != nil {
		return nil, errors.Join(err, run.Close())
	}
	r.Folder = run.Folder
	return run, nil
}

// once returns a reporter that passes every note on once, as all runs read the same data.
func (a *Ablation) once(report train.Reporter) train.Reporter {
	return func(e train.Event) {
		n, ok := e.(train.Note)
		if report == nil || ok && a.noted[n.Text] {
			return
		}
		if ok {
			a.note(n.Text)
		}
		report(e)
	}
}

// note remembers a note that was reported.
func (a *Ablation) note(text string) {
	if a.noted == nil {
		a.noted = map[string]bool{}
	}
	a.noted[text] = true
}

func (a *Ablation) begin(r *Run) {
	if a.Begin != nil {
		a.Begin(r)
	}
}

// discard removes the folder of a run that ended before its first checkpoint, because it cannot be
// resumed.
func (r *Run) discard() error {
	if err := r.Folder.Lock(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(r.Folder.Unlock(), os.RemoveAll(r.Folder.Path))
}

// inputOfOthers gives a run the settings of the input of the runs that have begun before, so that
// the runs are comparable. This also covers ablations from before these settings existed.
func (a *Ablation) inputOfOthers(r *Run) error {
	for _, other := range a.Plan.Runs(a.Folder) {
		path, err := train.FindCheckpoint(other.Folder.Path, false)
		if err != nil {
			continue // the run has not begun
		}
		begun, err := train.OpenCheckpoint(path)
		if err != nil {
			return err
		}
		r.Config.AdoptInput(&begun.Config)
		return begun.Close()
	}
	return nil
}

// stem returns the name of a network's first filters. Their gradient shows how much of the losses
// arrives at the bottom.
func stem(g *graph.Graph) []string {
	for _, p := range g.Params() {
		if p.Role == graph.Weight {
			return []string{p.Name}
		}
	}
	return nil
}

// results reads the results so far and writes them to files. It draws the figure last, so that a
// figure that fails costs no result.
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

// drawFigure draws the figure. If it fails, it removes an older figure, which would show other
// results.
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
