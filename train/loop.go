package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"syscall"
	"time"

	"github.com/tributary-ml/tributary/internal/atomicfile"
)

// saveEvery is how often a checkpoint is written within an epoch: what a power cut costs at the most.
const saveEvery = 10 * time.Minute

// Summary is what came out of a run.
type Summary struct {
	Folder      string      `json:"folder"`
	Step        int         `json:"step"`
	Epochs      int         `json:"epochs"`
	Last        *EpochEnded `json:"last,omitempty"` // nil where a resumed run had nothing left to do
	BestEpoch   int         `json:"best_epoch"`
	BestTop1    float64     `json:"best_top1"` // of the main head
	Seconds     float64     `json:"seconds"`   // over all sessions
	Finished    bool        `json:"finished"`
	Device      string      `json:"device"`
	Interrupted bool        `json:"interrupted"`
	Diverged    string      `json:"diverged,omitempty"` // what a DivergedError said
}

// InterruptedError says that the context ended a run, and from where it can go on.
type InterruptedError struct {
	Checkpoint string
	Step       int
	Cause      error // why the context ended
}

func (e *InterruptedError) Error() string {
	return fmt.Sprintf("interrupted after step %d; saved %s", e.Step, e.Checkpoint)
}

// Unwrap returns the context's error.
func (e *InterruptedError) Unwrap() error { return e.Cause }

// Run trains until all epochs are done, and writes to a run's folder: a new one, or that of the checkpoint it resumes. When ctx
// ends, it finishes the update under way, saves a checkpoint and returns an *InterruptedError. A run whose numbers are no longer
// finite ends with a *DivergedError, which the summary has, and leaves the checkpoints as they are.
func (t *Trainer) Run(ctx context.Context, folder *Folder) (summary *Summary, err error) {
	t.folder = folder
	if t.log, err = openLog(folder.Log(), t.progress.Step); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.log.close()) }()
	if t.flow != nil {
		if t.flow.log, err = openLog(folder.Gradflow(), t.progress.Step-1); err != nil { // a measurement bears the number of updates before it
			return nil, err
		}
		defer func() { err = errors.Join(err, t.flow.log.close()) }()
	}
	if t.progress.Epoch < t.Config.Epochs {
		if t.board, err = openBoard(folder.Path, t.progress.Step); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, t.board.close()) }()
	}
	t.report(t.started())
	t.clock.start(t.progress.Seconds)
	t.savedAt = time.Now()
	for t.progress.Epoch < t.Config.Epochs {
		err := t.epoch(ctx)
		if err == nil {
			err = t.evaluateEpoch(ctx)
		}
		if err != nil && ctx.Err() != nil && !errors.As(err, new(*DivergedError)) {
			return t.interrupt(ctx)
		}
		if diverged := (*DivergedError)(nil); errors.As(err, &diverged) { // which names its checkpoint itself
			s := t.summary()
			s.Diverged = err.Error()
			err = errors.Join(err, folder.writeSummary(s))
		} else if err != nil {
			err = fmt.Errorf("step %d: %w; %s", t.progress.Step, err, t.lastSaved())
		}
		if err != nil {
			return nil, err
		}
	}
	summary = t.summary()
	if before, err := folder.ReadSummary(); t.last == nil && err == nil && before.Finished {
		return summary, nil // nothing was left to do: what the run's file says stands
	}
	return summary, folder.writeSummary(summary)
}

// epoch makes the updates that are left of an epoch.
func (t *Trainer) epoch(ctx context.Context) error {
	// An update must run to its end, and its batches must be at hand: ctx is looked at between updates only.
	whole, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	next, done := iter.Pull2(t.loader.Epoch(whole, t.progress.Epoch, t.progress.Batch))
	defer done()
	t.clock.resume()
	for t.progress.Batch < t.perEpoch*t.Config.Accumulate {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := t.step(whole, next)
		if err != nil {
			return err
		}
		t.clock.images += s.Result.Images
		t.report(s)
		if message := t.guard.see(s.Result); message != "" {
			t.warn("dead_trunk", "%s", message)
		}
		if s.Step%t.Config.LogEvery == 0 || s.EpochStep == s.EpochSteps {
			norms, err := t.gradNorms()
			if err != nil {
				return err
			}
			t.report(Interval{s.Step, s.Epoch, s.LR, s.GradNorm, t.clock.lap(), s.Weights, t.progress.Interval.Result(), norms})
			t.progress.Interval = Tally{}
		}
		if time.Since(t.savedAt) > saveEvery {
			t.trySave()
		}
	}
	return nil
}

// evaluateEpoch ends an epoch: it evaluates, notes the best, and saves.
func (t *Trainer) evaluateEpoch(ctx context.Context) error {
	t.clock.pause()
	test, err := t.Evaluate(ctx)
	if err != nil {
		return err
	}
	if main := test.main(); !finite(main.Loss) {
		return t.divergedError([]string{main.Name}, t.rate.at(t.progress.Step-1))
	}
	p := &t.progress
	best := p.BestEpoch == 0 || test.main().Top1 > p.Best
	p.Epoch++
	p.Batch = 0
	if best {
		p.Best, p.BestEpoch = test.main().Top1, p.Epoch
	}
	e := EpochEnded{p.Epoch, p.Step, t.rate.at(p.Step - 1), p.Training.Result(), test, t.Config.EMA > 0, best, t.clock.rate(), t.clock.epoch()}
	p.Training = Tally{}
	t.last = &e
	t.report(e)
	if err := t.trySave(); err != nil {
		if p.Epoch == t.Config.Epochs {
			return err
		}
		return nil
	}
	if best {
		if err := atomicfile.Link(t.folder.Last(), t.folder.Best()); err != nil {
			t.warn("checkpoint", "%s could not be written: %v", t.folder.Best(), err)
		}
	}
	return nil
}

// interrupt saves where the run stands.
func (t *Trainer) interrupt(ctx context.Context) (*Summary, error) {
	if err := t.save(); err != nil {
		return nil, err
	}
	s := t.summary()
	s.Interrupted = true
	if err := t.folder.writeSummary(s); err != nil {
		return nil, err
	}
	return s, &InterruptedError{t.folder.Last(), t.progress.Step, context.Cause(ctx)}
}

// trySave saves, and warns where that fails: the run can go on, and the disk may have room again at the next try.
func (t *Trainer) trySave() error {
	err := t.save()
	if err != nil {
		t.warn("checkpoint", "%v", err)
	}
	return err
}

// save writes last.ckpt.
func (t *Trainer) save() error {
	begin := time.Now()
	t.savedAt = begin
	t.progress.Seconds = t.clock.total()
	c := &Checkpoint{Config: t.Config, Network: t.Graph.Name(), Data: infoOf(t.Data.Train), Progress: t.progress}
	if err := writeCheckpoint(t.folder.Last(), t.state, c); err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			err = fmt.Errorf("%w (make room on the disk)", err)
		}
		return fmt.Errorf("step %d: no checkpoint could be written: %w; %s", t.progress.Step, err, t.lastSaved())
	}
	t.saved = t.progress.Step
	t.report(Saved{t.folder.Last(), t.progress.Step, time.Since(begin)})
	return nil
}

// lastSaved says from where a run that failed can go on.
func (t *Trainer) lastSaved() string {
	if _, err := os.Stat(t.folder.Last()); err != nil || t.saved < 0 {
		return "there is no checkpoint yet"
	}
	return fmt.Sprintf("the checkpoint of step %d is intact: --resume %s goes on from it", t.saved, t.folder.Path)
}

func (t *Trainer) summary() *Summary {
	return &Summary{
		Folder: t.folder.Path, Step: t.progress.Step, Epochs: t.progress.Epoch, Last: t.last, BestEpoch: t.progress.BestEpoch,
		BestTop1: t.progress.Best, Seconds: t.clock.total(), Finished: t.progress.Epoch == t.Config.Epochs, Device: t.Backend.Name(),
	}
}
