package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/gradflow"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
)

// Setup holds what New makes a Trainer from.
type Setup struct {
	Config  Config
	Graph   *graph.Graph  // the network with its heads, for Data's classes and Config's label smoothing
	Backend graph.Backend // the trainer does not close it
	Data    *dataset.Set
	// Weights are initial values that replace drawn ones; nil means that all are drawn from the
	// seed.
	Weights map[*graph.Param]*tensor.Dense
	// Resume is a checkpoint of the same run to resume from; nil starts at the beginning.
	Resume *Checkpoint
	// GradNorms are the names of the parameters whose gradient norm every Interval reports.
	GradNorms []string
	Report    Reporter // nil: no reports
}

// Trainer is a run: a network's parameters on a device, and the programs that train and evaluate
// it.
type Trainer struct {
	Setup
	input        Input
	state        graph.State
	train, eval  graph.Program
	loader, test *dataset.Loader
	rate         rate
	offset       int // updates made minus those that the position in the epochs stands for; not 0 if the number of images has changed
	heads        auxhead.Schedule
	perEpoch     int            // updates
	watched      map[int]string // GradNorms by their index in the layout
	progress     Progress
	guard        deadTrunk
	flow         *flowMeter          // nil if nothing is measured
	conflicts    *gradflow.Conflicts // nil unless HeadBalance is pcgrad
	options      graph.Options
	folder       *Folder
	log          *log
	board        *board    // nil if nothing is left to do
	saved        int       // step of the checkpoint on disk, -1 if there is none
	savedAt      time.Time // when it was written
	last         *EpochEnded
	clock        clock
	changed      string // how the data differ from the checkpoint's, in words
}

// New prepares a run up to its first update. The caller closes the Trainer after use.
func New(s Setup) (*Trainer, error) {
	if err := s.Config.Check(); err != nil {
		return nil, err
	}
	s.Config.Resolve()
	if s.Report == nil {
		s.Report = func(Event) {}
	}
	t := &Trainer{Setup: s, saved: -1}
	if err := t.build(); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (t *Trainer) build() error {
	c := &t.Config
	if err := t.checkNetwork(); err != nil {
		return err
	}
	if err := t.resolveInput(); err != nil {
		return err
	}
	update, err := c.Update()
	if err != nil {
		return err
	}
	if err := t.makeLoaders(); err != nil {
		return err
	}
	layout, err := graph.NewLayout(t.Graph)
	if err != nil {
		return err
	}
	if t.perEpoch = t.loader.Batches() / c.Accumulate; t.perEpoch == 0 {
		return fmt.Errorf("%d training images make %d batches of %d, fewer than the %d of one update: lower --batch or --accumulate",
			t.Data.Train.Len(), t.loader.Batches(), c.Batch, c.Accumulate)
	}
	want := graph.StateOptions{Slots: update.Slots(), EMA: update.EMA}
	if c.GradflowEvery > 0 || c.HeadBalance == "pcgrad" {
		want.Snapshots = gradflow.MeterSnapshots(len(t.Graph.Losses()))
	}
	info := infoOf(t.Data.Train)
	t.options = graph.Options{Batch: c.Batch, Training: true, Optimizer: &update, Target: t.Backend.Target(),
		Normalize: &t.input.Normalization, Regions: t.loader.Regions()}
	if err = graph.Fit(t.Backend, layout, want, t.options, evalOptions(t.Backend, t.test, t.input, nil)); err != nil {
		return err
	}
	if t.state, err = t.Backend.NewState(layout, want); err != nil {
		return err
	}
	if t.train, err = graph.Load(t.Backend, t.state, t.options); err != nil {
		return err
	}
	if t.flow, err = t.newFlowMeter(t.options); err != nil {
		return err
	}
	switch c.HeadBalance {
	case "pcgrad":
		if t.conflicts, err = gradflow.NewConflicts(t.Backend, t.state, t.options); err != nil {
			return err
		}
	case "uncertainty":
		t.progress.Uncertainty = &gradflow.Uncertainty{}
	}
	if t.eval, err = loadEval(t.Backend, t.state, t.test, t.input, nil); err != nil {
		return err
	}
	if t.rate, err = newRate(c, t.perEpoch); err != nil {
		return err
	}
	if t.heads, err = auxhead.ParseSchedule(c.HeadSchedule); err != nil {
		return err
	}
	if t.watched, err = watched(layout, t.GradNorms); err != nil {
		return err
	}
	t.guard = deadTrunk{guess: math.Log(float64(len(info.Classes)))}
	if t.Resume != nil {
		return t.resume()
	}
	return initialise(t.state, update, c.Seed, t.Weights)
}

// checkNetwork verifies that the graph suits the configuration and the data.
func (t *Trainer) checkNetwork() error {
	if err := t.Graph.Err(); err != nil {
		return err
	}
	losses := t.Graph.Losses()
	if len(losses) == 0 {
		return fmt.Errorf("network %s has no classifier: add a loss", t.Graph.Name())
	}
	classes := t.Data.Train.Info().Classes
	if have := losses[0].Logits.Shape().C; have != len(classes) {
		return fmt.Errorf("network %s tells %d classes apart, %s has %d", t.Graph.Name(), have, t.Data.Train.Info().Name, len(classes))
	}
	for i, l := range losses {
		if i > 0 && (l.Distill != t.Config.Distill || l.Distill > 0 && l.Temperature != t.Config.Temperature) {
			return fmt.Errorf("distill is %v at temperature %v, but head %s was built with %v at %v", t.Config.Distill, t.Config.Temperature, l.Name, l.Distill, l.Temperature)
		}
		if l.Smoothing != t.Config.LabelSmoothing {
			return fmt.Errorf("label-smoothing is %v, but head %s was built with %v", t.Config.LabelSmoothing, l.Name, l.Smoothing)
		}
	}
	return nil
}

// resolveInput fills in the open settings of the network's input: from the checkpoint that the run
// resumes, or by Config.ResolveInput.
func (t *Trainer) resolveInput() error {
	c, in := &t.Config, t.Graph.InputNode().Shape()
	if t.Resume != nil {
		from := t.Resume.filled(in.H, in.W)
		c.AdoptInput(&from)
	}
	var file *inception.Input
	if c.Init != "" {
		file = &inception.Input{} // the file's own input is not known here
	}
	err := c.ResolveInput(file, t.Data.Train.Info(), in.H, in.W)
	if err == nil {
		t.input, err = c.Input(in.H, in.W)
	}
	return err
}

func (t *Trainer) makeLoaders() error {
	c, in := &t.Config, t.Graph.InputNode().Shape()
	train, test := t.Data.Train, t.Data.Test
	if info := train.Info(); info.C != in.C {
		return fmt.Errorf("network %s reads images of %d channels, %s has %d: set --channels %d", t.Graph.Name(), in.C, info.Name, info.C, in.C)
	}
	var err error
	t.loader, err = dataset.NewLoader(train, c.transform(train.Info(), t.input), dataset.LoaderOptions{
		Batch: c.Batch, Shuffle: true, Seed: c.Seed, DropLast: true, SkipBad: c.SkipBad, Workers: c.Workers,
		Scaled: c.Decode == decodeScaled, Defer: t.Backend.Target().Augments})
	if err != nil {
		return err
	}
	t.test, err = evalLoader(test, t.input, c, t.Backend)
	return err
}

// evalLoader makes batches of test images.
func evalLoader(test dataset.Source, in Input, c *Config, b graph.Backend) (*dataset.Loader, error) {
	return dataset.NewLoader(test, in.Fit, dataset.LoaderOptions{
		Batch: c.Batch, SkipBad: c.SkipBad, Workers: c.Workers, Defer: b.Target().Augments})
}

// loadEval loads a program that evaluates some heads on a loader's batches; heads is nil for all.
func loadEval(b graph.Backend, s graph.State, l *dataset.Loader, in Input, heads []string) (graph.Program, error) {
	return graph.Load(b, s, evalOptions(b, l, in, heads))
}

func evalOptions(b graph.Backend, l *dataset.Loader, in Input, heads []string) graph.Options {
	batch, _, _, _ := l.Shape()
	return graph.Options{Batch: batch, Losses: heads, Target: b.Target(),
		Normalize: &in.Normalization, Regions: l.Regions()}
}

// initialise sets all parameters to their initial values, which are also the first moving averages.
// It also sets the optimizer's slots.
func initialise(s graph.State, o graph.Optimizer, seed uint64, weights map[*graph.Param]*tensor.Dense) error {
	l := s.Layout()
	for _, p := range l.Params {
		v, ok := weights[p]
		if !ok {
			v = tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(p.Initial(seed)))
		}
		if err := s.Set(graph.Value, p, v); err != nil {
			return err
		}
		if o.EMA {
			if err := s.Set(graph.Average, p, v); err != nil {
				return err
			}
		}
		if !l.IsTrained(p) {
			continue
		}
		for i, part := range []graph.Part{graph.Slot0, graph.Slot1}[:o.Slots()] {
			if first := o.SlotInit(i); first != 0 {
				fill := make([]float32, p.Elements())
				for j := range fill {
					fill[j] = float32(first)
				}
				if err := s.Set(part, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(fill))); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// LeftOut returns how many training images an epoch leaves out because they do not fill another
// update.
func (t *Trainer) LeftOut() int {
	return t.Data.Train.Len() - t.perEpoch*t.Config.Accumulate*t.Config.Batch
}

// resume takes the state from a checkpoint, after checking that the checkpoint is of this run.
func (t *Trainer) resume() error {
	if err := t.Resume.matches(&t.Config, t.Graph, infoOf(t.Data.Train)); err != nil {
		return err
	}
	if err := t.Resume.Restore(t.state); err != nil {
		return err
	}
	t.progress = t.Resume.Progress
	t.saved = t.progress.Step
	if err := t.progress.checkHeads(t.Graph); err != nil {
		return &CheckpointError{t.Resume.Path, err, damaged}
	}
	return t.place()
}

// place finds the checkpoint's position in the epochs of the data. If the number of images has
// changed, the run goes on at the same batch, or at the end of the epoch if the epoch is now
// shorter, so that nothing is done twice. The count of updates goes on; schedules follow the
// position.
func (t *Trainer) place() error {
	p, k := &t.progress, t.Config.Accumulate
	all := t.perEpoch * k
	before, now := t.Resume.Data, infoOfSet(t.Data)
	var changes []string
	for _, s := range []string{before.Train.changes(now.Train, "training"), before.Test.changes(now.Test, "test")} {
		if s != "" {
			changes = append(changes, s)
		}
	}
	fits := p.Batch%k == 0 && p.Batch <= all
	if before.Train.Images == 0 && (!fits || p.Step != p.Epoch*t.perEpoch+p.Batch/k) { // an older checkpoint has no more information
		changes = append(changes, fmt.Sprintf("another number of training images than the %d now", now.Train.Images))
	}
	if !fits {
		if changes == nil || p.Batch%k != 0 {
			return &CheckpointError{t.Resume.Path, fmt.Errorf("its position, batch %d, is in no epoch of %d updates of %d batches", p.Batch, t.perEpoch, k), damaged}
		}
		p.Batch = all
	}
	t.offset = p.Step - (p.Epoch*t.perEpoch + p.Batch/k)
	if changes != nil {
		t.changed = fmt.Sprintf("the data changed: %s; the run goes on in epoch %d after update %d of %d, and is not the same as one whose data did not change",
			strings.Join(changes, ", "), p.Epoch+1, p.Batch/k, t.perEpoch)
		if p.Batch == 0 {
			t.changed = fmt.Sprintf("the data changed: %s; the run goes on, and is not the same as one whose data did not change", strings.Join(changes, ", "))
		}
	}
	return nil
}

// position returns the number of updates from the start of the first epoch to here, if all epochs
// had their present length.
func (t *Trainer) position() int { return t.progress.Step - t.offset }

// matches returns a *MismatchError if the checkpoint is of another configuration, network or data
// set.
func (c *Checkpoint) matches(config *Config, g *graph.Graph, data DataInfo) error {
	diff := c.differences(config)
	if c.Network != g.Name() {
		diff = append(diff, fmt.Sprintf("network: %s in the checkpoint, %s now", c.Network, g.Name()))
	}
	diff = append(diff, c.Data.differences(data)...)
	if len(diff) > 0 {
		return &MismatchError{c.Path, diff}
	}
	return nil
}

// differences describes how the classes differ; nil if they are equal.
func (d DataInfo) differences(other DataInfo) []string {
	if slices.Equal(d.Classes, other.Classes) {
		return nil
	}
	return []string{fmt.Sprintf("classes: %d in the checkpoint (%.60s), %d in %s (%.60s)",
		len(d.Classes), strings.Join(d.Classes, ", "), len(other.Classes), other.Name, strings.Join(other.Classes, ", "))}
}

// watched finds the parameters whose gradient norms are wanted, by their index in the layout.
func watched(l *graph.Layout, names []string) (map[int]string, error) {
	out := map[int]string{}
	for _, name := range names {
		p, err := l.Graph.Param(name)
		if err == nil && !l.IsTrained(p) {
			err = fmt.Errorf("parameter %s is not trained: it has no gradient", name)
		}
		if err != nil {
			return nil, err
		}
		out[slices.Index(l.Params, p)] = name
	}
	return out, nil
}

// gradNorms returns the norms of the last update's gradients that Setup.GradNorms names.
func (t *Trainer) gradNorms() (map[string]float64, error) {
	if len(t.watched) == 0 {
		return nil, nil
	}
	all, err := t.state.Compare(graph.Gradient, graph.Gradient)
	if err != nil {
		return nil, err
	}
	norms := map[string]float64{}
	for i, name := range t.watched {
		norms[name] = math.Sqrt(all[i].Squares)
	}
	return norms, nil
}

// Close frees what the run holds on the device.
func (t *Trainer) Close() error {
	var errs []error
	errs = append(errs, t.flow.close())
	if t.conflicts != nil {
		errs = append(errs, t.conflicts.Close())
	}
	for _, p := range []graph.Program{t.train, t.eval} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	if t.state != nil {
		errs = append(errs, t.state.Close())
	}
	return errors.Join(errs...)
}

// report sends an event to the reporter, and to the log and TensorBoard's file if it is one they
// keep.
func (t *Trainer) report(e Event) {
	t.Report(e)
	k, ok := e.(kept)
	if !ok {
		return
	}
	now := time.Now()
	log := t.log
	if _, ok := e.(Flowed); ok {
		log = t.flow.log
	}
	if log != nil {
		t.warnLog(log.write(k, now))
	}
	if t.board != nil {
		t.warnLog(t.board.write(k, now))
	}
}

// warnLog warns only the reporter, because the file that the warning is about cannot be written.
func (t *Trainer) warnLog(err error) {
	if err != nil {
		t.Report(Warning{t.progress.Step, "log", err.Error()})
	}
}

func (t *Trainer) warn(kind, format string, args ...any) {
	t.report(Warning{t.progress.Step, kind, fmt.Sprintf(format, args...)})
}

// started returns the first event.
func (t *Trainer) started() Started {
	p := t.train.Plan()
	s := Started{
		Resumed: t.Resume != nil, Step: t.progress.Step, Steps: t.rate.total + t.offset,
		Epoch: t.progress.Epoch, Epochs: t.Config.Epochs, StepImages: t.Config.Batch * t.Config.Accumulate,
		TrainImages: t.Data.Train.Len(), TestImages: t.Data.Test.Len(), Device: t.Backend.Name(),
		Input: t.input, Augments: p.Regions.Valid(), ArenaBytes: p.ArenaBytes(), UnsharedBytes: p.Unshared, CacheBytes: t.Data.Cache, JPEG: t.Data.JPEG,
		Config: t.Config, Folder: t.folder.Path, Classes: t.Data.Train.Info().Classes, ClassImages: dataset.Counts(t.Data.Train),
	}
	for _, l := range p.Losses {
		s.Heads = append(s.Heads, l.Name)
	}
	for _, q := range p.Layout.Params {
		if !q.IsStatistic() {
			s.Parameters += q.Elements()
		}
	}
	return s
}

// Evaluate runs the test images through all heads.
func (t *Trainer) Evaluate(ctx context.Context) (Result, error) {
	return evaluate(ctx, t.eval, t.test, t.Config.EMA > 0, t.Data.Test.Len(), t.report)
}
