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

// saveEvery is the time between checkpoints within an epoch: a power cut costs at most this much
// training.
const saveEvery = 10 * time.Minute

// Summary is the result of a run.
type Summary struct {
	Folder      string      `json:"folder"`
	Step        int         `json:"step"`
	Epochs      int         `json:"epochs"`
	Last        *EpochEnded `json:"last,omitempty"` // nil if a resumed run had nothing left to do
	BestEpoch   int         `json:"best_epoch"`
	BestTop1    float64     `json:"best_top1"` // of the main head
	Seconds     float64     `json:"seconds"`   // over all sessions
	Finished    bool        `json:"finished"`
	Device      string      `json:"device"`
	Interrupted bool        `json:"interrupted"`
	Diverged    string      `json:"diverged,omitempty"` // message of the DivergedError
}

// InterruptedError says that the context ended a run, and which checkpoint the run can resume from.
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

// Run trains until all epochs are done, and writes to a run's folder: a new one, or the folder of
// the checkpoint that the run resumes. Run locks the folder and unlocks it at the end.
//
// When ctx ends, Run finishes the current update, saves a checkpoint and returns an
// *InterruptedError. If losses or gradients are no longer finite, Run returns a *DivergedError,
// notes it in the summary and leaves the checkpoints as they are. If data cannot be read, Run saves
// a checkpoint of the position before the failed update. A new run that fails before its log has a
// line leaves no folder behind.
func (t *Trainer) Run(ctx context.Context, folder *Folder) (summary *Summary, err error) {
	if err := folder.Lock(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, folder.Unlock()) }()
	t.folder = folder
	defer func() {
		if kept := errors.As(err, new(*DivergedError)) && !folder.newest; err != nil && folder.made && !kept { // package ablate keeps and counts diverged runs
			err = errors.Join(fmt.Errorf("%w; there was nothing to keep, the folder %s is removed", err, folder.Path), folder.discard())
		}
	}()
	if err := t.takeUp(); err != nil {
		return nil, err
	}
	if t.log, err = openLog(folder.Log(), t.progress.Step, t.progress.Epoch); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.log.close()) }()
	if t.flow != nil {
		if t.flow.log, err = openLog(folder.Gradflow(), t.progress.Step-1, t.progress.Epoch); err != nil { // a measurement is numbered by the updates before it
			return nil, err
		}
		defer func() { err = errors.Join(err, t.flow.log.close()) }()
	}
	if t.progress.Epoch < t.Config.Epochs {
		if t.board, err = openBoard(folder.Path, &t.progress); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, t.board.close()) }()
	}
	t.report(t.started())
	if !folder.lock.Locks() {
		t.warn("lock", "the file system of %s has no locks: nothing keeps another process from training in it, too", folder.Path)
	}
	if t.changed != "" {
		t.warn("data", "%s", t.changed)
	}
	if r := t.Resume; r != nil && r.JPEG != "" && r.JPEG != t.Data.JPEG {
		t.warn("decoder", "JPEG files are decoded by %s here, by %s before: some pixels may differ, so the run goes on, but not to the same bits", t.Data.JPEG, r.JPEG)
	}
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
		if diverged := (*DivergedError)(nil); errors.As(err, &diverged) { // its message names the checkpoint
			s := t.summary()
			s.Diverged = err.Error()
			err = errors.Join(err, folder.writeSummary(s))
		} else if err != nil {
			err = t.failed(err)
		}
		if err != nil {
			return nil, err
		}
	}
	if before, err := folder.ReadSummary(); t.last == nil && err == nil && before.Finished {
		return t.summary(), nil // nothing was left to do: the existing summary stays
	}
	if t.last == nil { // the run was killed after its last checkpoint
		if _, epochs, err := folder.ReadLog(); err == nil && len(epochs) > 0 {
			t.last = &epochs[len(epochs)-1]
		}
	}
	summary = t.summary()
	return summary, folder.writeSummary(summary)
}

// begin marks the folder as one that holds something, so that it is kept.
func (t *Trainer) begin() {
	if err := t.folder.begin(); err != nil {
		t.warn("last", "%v", err)
	}
}

// takeUp makes the folder match the checkpoint that the run resumes. A process that was killed may
// have left last.ckpt newer than the checkpoint, or best.ckpt older.
func (t *Trainer) takeUp() error {
	if t.Resume == nil {
		return nil
	}
	if err := t.extend(); err != nil {
		return err
	}
	last := t.folder.Last()
	if a, err := os.Stat(t.Resume.Path); err == nil {
		if b, err := os.Stat(last); err != nil || !os.SameFile(a, b) { // the user goes back to an older checkpoint
			if err := atomicfile.Link(t.Resume.Path, last); err != nil {
				return err
			}
		}
	}
	if p := t.progress; p.BestEpoch > 0 && p.BestEpoch == p.Epoch && p.Batch == 0 {
		return atomicfile.Link(last, t.folder.Best())
	}
	return nil
}

// extend writes the configuration of a run that goes on with another number of epochs.
func (t *Trainer) extend() error {
	if t.Resume.Config.Epochs == t.Config.Epochs {
		return nil
	}
	return t.folder.writeConfig(&t.Config)
}

// dataError is an error of reading images. The network stays as it was before the update, except
// that earlier batches of the same update have changed the running statistics.
type dataError struct{ error }

func (e dataError) Unwrap() error { return e.error }

// failed adds to an error where the run can go on from. If the error is of the data, failed saves a
// checkpoint, so that the run goes on from here.
func (t *Trainer) failed(err error) error {
	if save := (*saveError)(nil); errors.As(err, &save) {
		return err // its message is complete
	}
	at := fmt.Sprintf("step %d: ", t.progress.Step)
	data := errors.As(err, new(dataError))
	switch {
	case t.progress.Step == 0 || t.folder.made && !data:
		return fmt.Errorf("%s%w", at, err)
	case !data:
		return fmt.Errorf("%s%w; %s", at, err, t.lastSaved())
	}
	if t.saved < t.progress.Step {
		if failed := t.save(); failed != nil {
			return fmt.Errorf("%s%w; %w", at, err, failed)
		}
	}
	return fmt.Errorf("%s%w; the run is saved up to here: --resume %s goes on, with --skip-bad without such images", at, err, t.folder.Path)
}

// epoch makes the remaining updates of an epoch.
func (t *Trainer) epoch(ctx context.Context) error {
	// An update must run to its end, and its batches must be available. So ctx is checked only
	// between updates.
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
			t.begin()
		}
		if time.Since(t.savedAt) > saveEvery {
			if err := t.save(); err != nil {
				t.warnSave(err)
			}
		}
	}
	return nil
}

// evaluateEpoch ends an epoch: it evaluates the network, notes the best epoch, and saves a
// checkpoint.
func (t *Trainer) evaluateEpoch(ctx context.Context) error {
	t.clock.pause()
	test, err := t.Evaluate(ctx)
	if err != nil {
		return err
	}
	if main := test.Main(); !finite(main.Loss) {
		return t.divergedError([]string{main.Name}, t.rate.at(t.position()-1))
	}
	p := &t.progress
	best := test.Main().Top1 >= p.Best // the later of two equal epochs counts, because it has trained longer
	p.Epoch++
	p.Batch = 0
	if best {
		p.Best, p.BestEpoch = test.Main().Top1, p.Epoch
	}
	e := EpochEnded{p.Epoch, p.Step, t.rate.at(t.position() - 1), p.Training.Result(), test, t.Config.EMA > 0, best, t.clock.rate(), t.clock.epoch()}
	p.Training = Tally{}
	t.last = &e
	t.report(e)
	if err := t.save(); err != nil {
		if p.Epoch == t.Config.Epochs {
			return err
		}
		t.warnSave(err)
		return nil
	}
	if best {
		if err := atomicfile.Link(t.folder.Last(), t.folder.Best()); err != nil {
			t.warn("checkpoint", "%s could not be written: %v", t.folder.Best(), err)
		}
	}
	return nil
}

// interrupt saves the run's position.
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

// saveError says that a checkpoint could not be written.
type saveError struct {
	text string
	err  error
}

func (e *saveError) Error() string { return e.text }
func (e *saveError) Unwrap() error { return e.err }

// warnSave warns that saving has failed. The run can go on, and the disk may have room again at the
// next try.
func (t *Trainer) warnSave(err error) { t.warn("checkpoint", "%v", err) }

// save writes last.ckpt.
func (t *Trainer) save() error {
	t.savedAt = time.Now()
	t.progress.Seconds = t.clock.total()
	c := &Checkpoint{Config: t.Config, Network: t.Graph.Name(), Data: infoOfSet(t.Data), JPEG: t.Data.JPEG, Progress: t.progress}
	if err := writeCheckpoint(t.folder.Last(), t.state, c); err != nil {
		remedy := ""
		if errors.Is(err, syscall.ENOSPC) {
			remedy = " (make room on the disk)"
		}
		return &saveError{fmt.Sprintf("step %d: no checkpoint could be written: %v%s; %s", t.progress.Step, err, remedy, t.lastSaved()), err}
	}
	t.saved = t.progress.Step
	t.begin()
	t.report(Saved{t.folder.Last(), t.progress.Step})
	return nil
}

// lastSaved describes where a failed run can go on from.
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
