package tributary

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/exits"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/train"
)

// Classifier is a trained network.
type Classifier struct {
	Checkpoint *train.Checkpoint
	Config     train.Config // the run's configuration after Options.Change
	Model      *inception.Model
	options    Options
	closed     bool
}

// findCheckpoint returns the checkpoint for the name of a run: its last, or its best.
func findCheckpoint(run string, best bool) (string, error) {
	path, err := train.FindRun(run, train.Default().Out)
	if err == nil {
		path, err = train.FindCheckpoint(path, best)
	}
	if errors.As(err, new(*train.LockedError)) {
		return "", err
	}
	return path, configError(err)
}

// Load opens a trained network: the best checkpoint of a run's folder, a .ckpt file, or "last" for
// the newest run in runs. It does not need the run's data. A custom network or custom heads need
// the Options that they were trained with. The error for a damaged checkpoint is a
// *train.CheckpointError.
func Load(run string, o Options) (*Classifier, error) {
	path, err := findCheckpoint(run, true)
	if err != nil {
		return nil, err
	}
	ck, err := o.openWhole(path)
	if err != nil {
		return nil, err
	}
	c := &Classifier{Checkpoint: ck, Config: ck.Config, options: o}
	if err = o.change(&c.Config); err == nil {
		err = configError(c.Config.Check())
	}
	if err == nil {
		c.Model, err = o.modelOf(ck, &c.Config)
	}
	if err != nil {
		return nil, errors.Join(err, ck.Close())
	}
	return c, nil
}

// Close closes the checkpoint.
func (c *Classifier) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	return c.Checkpoint.Close()
}

// Classes returns the names of the classes, by label.
func (c *Classifier) Classes() []string { return c.Checkpoint.Data.Classes }

// openWhole opens a checkpoint, and checks that it holds the network that its configuration
// describes.
func (o *Options) openWhole(path string) (*train.Checkpoint, error) {
	ck, err := train.OpenCheckpoint(path)
	if err != nil {
		return nil, err
	}
	c := ck.Config
	m, err := o.modelOf(ck, &c)
	if err != nil {
		remedy := "the file is not as a run writes it: use another, or a copy"
		if o.Network == nil && o.Heads == nil {
			remedy += "; or the run had a network or heads of a program's own: then give the Options that it was trained with"
		}
		err = &train.CheckpointError{Path: path, Err: fmt.Errorf("its config: %w", err), Remedy: remedy}
	} else {
		err = ck.Check(m.Graph)
	}
	if err != nil {
		ck.Close()
		return nil, err
	}
	return ck, nil
}

// modelOf builds a checkpoint's network without its data.
func (o *Options) modelOf(ck *train.Checkpoint, c *train.Config) (*inception.Model, error) {
	if c.ImageSize == 0 {
		c.ImageSize = o.imageSize(c.Model, dataset.Info{})
	}
	return o.Build(c, len(ck.Data.Classes), ck.Channels)
}

// TestOptions say on which images to measure a classifier.
type TestOptions struct {
	Data string // data set in the form of Config.Data; empty: the run's, or Options.Data
	Part string // train, val or test; empty: test, or the closest part that exists (dataset.TestOptions)
	// Heads are the heads to measure; nil means all.
	Heads []string
}

// Evaluation is a classifier on a device, with labelled images. Its methods Run, Exits and Records
// measure the network and its heads as early exits.
type Evaluation struct {
	train.Evaluation
	parts Parts
}

// Evaluate measures all heads on labelled images. It combines On and Evaluation.Run.
func (c *Classifier) Evaluate(ctx context.Context, t TestOptions) (r train.Result, err error) {
	e, err := c.On(ctx, t)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return e.Run(ctx)
}

// On opens labelled images and the device. The caller closes the evaluation after use.
func (c *Classifier) On(ctx context.Context, t TestOptions) (*Evaluation, error) {
	o, config := c.options, c.Config
	if t.Data != "" {
		o.Data = nil
	}
	config.Data = cmp.Or(t.Data, config.Data)
	e := &Evaluation{parts: Parts{Data: o.Data, borrowed: o.Data != nil}}
	var test dataset.Source
	var err error
	if o.Data != nil {
		if test, err = part(o.Data, t.Part); err != nil {
			return nil, err
		}
	} else {
		if config.Data, err = o.resolveData(config.Data); err != nil {
			return nil, err
		}
		if e.parts.Data, err = dataset.OpenTest(ctx, config.Data, dataset.TestOptions{
			OpenOptions: dataset.OpenOptions{Channels: c.Checkpoint.Channels, Seed: config.Seed, Orientation: config.EXIFOrientation, Cache: cacheBytes(&config)},
			Classes:     c.Classes(), Part: t.Part, Trained: t.Data == ""}); err != nil {
			return nil, err
		}
		o.Note(e.parts.Data.Notes...)
		test = e.parts.Data.Test
	}
	if e.parts.Backend, err = OpenDevice(&config, e.parts.Data.Cache); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	e.Evaluation = train.Evaluation{Graph: c.Model.Graph, Backend: e.parts.Backend, Test: test, Checkpoint: c.Checkpoint, Config: config,
		Heads: t.Heads, Report: o.report}
	return e, nil
}

// part returns the images of one part of a set of the program's own.
func part(s *dataset.Set, name string) (dataset.Source, error) {
	images := s.Test
	switch name {
	case "", "test":
	case "train":
		images = s.Train
	default:
		return nil, &ConfigError{fmt.Errorf("part: %q is no part of Options.Data: it has train and test", name)}
	}
	if images == nil {
		return nil, &ConfigError{errors.New("Options.Data: it has no such images to measure")}
	}
	return images, nil
}

// Close closes the device and the images.
func (e *Evaluation) Close() error { return e.parts.Close() }

// Cascade cuts the network at the heads that are exits (nil: all) and checks that the rule suits
// them.
func (c *Classifier) Cascade(names []string, rule exits.Rule) (*exits.Cascade, error) {
	cascade, err := exits.NewCascade(c.Model.Graph, names)
	if err != nil {
		return nil, err
	}
	if err := rule.Check(cascade, len(c.Classes())); err != nil {
		return nil, configError(err)
	}
	return cascade, nil
}

// PredictOptions say how images are classified.
type PredictOptions struct {
	Top   int        // number of classes to list for each image; 0: all
	Rule  exits.Rule // lets images leave early; without thresholds all go to the main head
	Exits []string   // heads that are exits for Rule; nil: all
}

// Prediction is a network's answer to an image.
type Prediction struct {
	File    string       `json:"file"`
	Exit    string       `json:"exit"`    // the head that answers
	Classes []Likelihood `json:"classes"` // the most likely first
	Err     error        `json:"-"`       // why the image could not be read; then Exit and Classes are unset
}

// Likelihood is a class with its probability.
type Likelihood struct {
	Class       string  `json:"class"`
	Label       int     `json:"label"`
	Probability float64 `json:"probability"`
}

// Predict classifies image files, and all images in folders, in their order. It yields each
// prediction as soon as it and all before it are available. Images are prepared as the run's test
// images were. An image that cannot be read gives a Prediction with Err. The second value is an
// error that ends the iteration.
func (c *Classifier) Predict(ctx context.Context, paths []string, p PredictOptions) iter.Seq2[Prediction, error] {
	return func(yield func(Prediction, error) bool) {
		stopped := false
		err := c.predict(ctx, paths, p, func(x Prediction) bool {
			stopped = stopped || !yield(x, nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(Prediction{}, err)
		}
	}
}

// errStopped ends Predict when its caller stops the iteration.
var errStopped = errors.New("stopped")

func (c *Classifier) predict(ctx context.Context, paths []string, p PredictOptions, yield func(Prediction) bool) error {
	o, config := &c.options, c.Config
	files, err := dataset.Files(ctx, paths, dataset.OpenOptions{Channels: c.Checkpoint.Channels, Orientation: c.Checkpoint.Config.EXIFOrientation})
	if err != nil {
		return err
	}
	o.Note(dataset.LeftOut(files)...)
	config.Batch = min(config.Batch, files.Len())
	names := p.Exits
	if len(p.Rule.Thresholds) == 0 {
		names = []string{c.Model.Graph.MainLoss().Name}
	}
	cascade, err := c.Cascade(names, p.Rule)
	if err != nil {
		return err
	}
	b, err := OpenDevice(&config, 0)
	if err != nil {
		return err
	}
	defer b.Close()
	e := train.Evaluation{Graph: c.Model.Graph, Backend: b, Test: files, Checkpoint: c.Checkpoint, Config: config, Report: o.report}
	in, err := e.Input()
	if err != nil {
		return err
	}
	turned := "their EXIF orientation passed over, as in training"
	if in.Orientation {
		turned = "as in training"
	}
	o.Note(fmt.Sprintf("images are prepared for %s; %s", in, turned))
	list := files.Info().Classes
	err = e.Predict(ctx, cascade, p.Rule, func(a train.Answer) error {
		x := Prediction{File: list[a.Image], Err: a.Err}
		if a.Err == nil {
			x.Exit, x.Classes = cascade.Exits[a.Exit].Name, likeliest(a.Probabilities, c.Classes(), p.Top)
		}
		if !yield(x) {
			return errStopped
		}
		return nil
	})
	return err
}

// likeliest returns the n most likely classes, or all if n is 0. Of equally likely classes the
// lower label comes first.
func likeliest(probabilities []float64, classes []string, n int) []Likelihood {
	all := make([]Likelihood, len(probabilities))
	for i, p := range probabilities {
		all[i] = Likelihood{classes[i], i, p}
	}
	slices.SortStableFunc(all, func(a, b Likelihood) int { return cmp.Compare(b.Probability, a.Probability) })
	if n > 0 {
		all = all[:min(n, len(all))]
	}
	return all
}
