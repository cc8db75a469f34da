package tributary

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/internal/human"
	"github.com/tributary-ml/tributary/train"
)

// Run is a training run that is ready to start: its network is on the device.
type Run struct {
	Config  *train.Config // complete, so that the run can be repeated with it
	Model   *inception.Model
	Data    *dataset.Set
	Folder  *train.Folder // nil for a new run until Train
	options Options
	parts   *Parts
	resume  *train.Checkpoint
	trainer *train.Trainer
}

// Train trains a network from its first update to the end of the last epoch, and returns the
// result. It combines New, Run.Train and Run.Close.
func Train(ctx context.Context, c train.Config, o Options) (s *train.Summary, err error) {
	r, err := New(ctx, c, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return r.Train(ctx)
}

// New prepares a new run up to its first update. It writes nothing yet. The run has its own copy of
// the configuration, in which all open settings are filled in. The caller closes the run after use.
//
// Errors: *ConfigError and *train.ValueError for impossible settings, *graph.UnknownError and
// *auxhead.ParseError for names, *inception.TooSmallError, *graph.MemoryError, and those of the
// data.
func New(ctx context.Context, c train.Config, o Options) (*Run, error) {
	return newRun(&Run{Config: &c, options: o}, func(r *Run) error {
		if err := o.Complete(&c); err != nil {
			return err
		}
		if err := o.placeHeads(ctx, &c); err != nil {
			return err
		}
		return r.start(ctx)
	})
}

// newRun prepares a run, and closes it if that fails.
func newRun(r *Run, prepare func(*Run) error) (*Run, error) {
	if err := prepare(r); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// start opens the parts of a run and builds its trainer.
func (r *Run) start(ctx context.Context) (err error) {
	o, c := &r.options, r.Config
	if r.parts, err = o.Open(ctx, c); err != nil {
		return err
	}
	p := r.parts
	r.Model, r.Data = p.Model, p.Data
	o.Note(p.Data.Notes...)
	var first weights
	if r.resume == nil {
		if first, err = r.initialise(p); err != nil {
			return err
		}
		if text := c.FitBatch(p.Data.Train.Len()); text != "" {
			o.Note(text)
		}
	}
	var norms []string
	if o.GradNorms != nil {
		norms = o.GradNorms(p.Model.Graph)
	}
	r.trainer, err = train.New(train.Setup{Config: *c, Graph: p.Model.Graph, Backend: p.Backend, Data: p.Data, Weights: first, Resume: r.resume,
		GradNorms: norms, Report: o.report})
	if err != nil {
		return err
	}
	if n := r.trainer.LeftOut(); n > 0 {
		do := "do"
		if n == 1 {
			do = "does"
		}
		o.Note(fmt.Sprintf("%s of the %s training images %s not fill a last batch: every epoch leaves out others",
			human.Thousands(n), human.Thousands(p.Data.Train.Len()), do))
	}
	return nil
}

// Resume prepares a run to go on from its last checkpoint as if it had not stopped. run is a run's
// folder, a checkpoint in it, or "last" for the newest run in runs. The run holds the folder's lock
// until Close. Options.Change may change the number of epochs or the device; the error for a
// setting that would change what was trained is a *train.MismatchError.
func Resume(ctx context.Context, run string, o Options) (*Run, error) {
	path, err := findCheckpoint(run, false)
	if err != nil {
		return nil, err
	}
	return newRun(&Run{options: o}, func(r *Run) (err error) {
		folder, err := train.FolderOf(path)
		if err != nil {
			return configError(err)
		}
		if err := folder.Lock(); err != nil {
			return err
		}
		r.Folder = folder
		if r.resume, err = o.openWhole(path); err != nil {
			return err
		}
		c := r.resume.Config
		r.Config = &c
		if err := o.change(&c); err != nil {
			return err
		}
		c.Out = r.resume.Config.Out // the folder stays where it is
		c.AdoptInput(&r.resume.Config)
		if err := o.Complete(&c); err != nil {
			return err
		}
		note, err := r.resume.Continues(&c)
		if err != nil {
			return err
		}
		if note != "" {
			o.Note(note)
		}
		return r.start(ctx)
	})
}

// change applies Options.Change.
func (o *Options) change(c *train.Config) error {
	if o.Change == nil {
		return nil
	}
	return o.Change(c)
}

// Train trains to the end of the last epoch. It makes the folder of a new run. When ctx ends, the
// run saves a checkpoint, and the error is a *train.InterruptedError that names it. The error for a
// run that diverges is a *train.DivergedError.
func (r *Run) Train(ctx context.Context) (*train.Summary, error) {
	if r.trainer == nil {
		return nil, errors.New("the run is closed")
	}
	if r.Folder == nil {
		r.Config.Resolve()
		var err error
		if r.Folder, err = train.NewFolder(r.Config, time.Now()); err != nil {
			return nil, err
		}
	}
	return r.trainer.Run(ctx, r.Folder)
}

// Close frees the run's resources, and lets other processes train in its folder. The folder's path
// stays in Folder.
func (r *Run) Close() error {
	var errs []error
	if r.trainer != nil {
		errs = append(errs, r.trainer.Close())
	}
	if r.parts != nil {
		errs = append(errs, r.parts.Close())
	}
	if r.resume != nil {
		errs = append(errs, r.resume.Close())
	}
	if r.Folder != nil {
		errs = append(errs, r.Folder.Unlock())
	}
	r.trainer, r.parts, r.resume = nil, nil, nil
	return errors.Join(errs...)
}
