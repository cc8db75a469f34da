package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/exits"
	"github.com/tributary-ml/tributary/graph"
)

// ExitResult is what a cascade did with the test images.
type ExitResult struct {
	exits.Outcome
	Seconds float64 // of computing, without waiting for images
}

// Rate is the number of images in a second.
func (r *ExitResult) Rate() float64 { return float64(r.Images) / max(r.Seconds, 1e-9) }

// Departure is an image that has left a cascade.
type Departure struct {
	Label         int32
	Exit          int           // index in Cascade.Exits
	Guesses       []exits.Guess // of that exit and those before it
	Probabilities []float64     // of that exit; valid until the call returns
}

// Exits evaluates a cascade of the network by a rule: images that leave are taken out of their batch, and only those that stay go
// on through the rest of the trunk. A rule without thresholds lets none leave.
func (e *Evaluation) Exits(ctx context.Context, c *exits.Cascade, rule exits.Rule) (ExitResult, error) {
	var r ExitResult
	err := e.labelled()
	if err == nil {
		r.Seconds, err = e.Cascade(ctx, c, rule, func(d Departure) {
			r.Add(d.Exit, len(c.Exits), d.Guesses[d.Exit].Class == int(d.Label))
		})
	}
	return r, err
}

// Records runs all test images through all of a cascade and notes what every exit says, in the order in which they arrive at the
// end.
func (e *Evaluation) Records(ctx context.Context, c *exits.Cascade) ([]exits.Record, error) {
	var out []exits.Record
	err := e.labelled()
	if err == nil {
		_, err = e.Cascade(ctx, c, exits.Rule{}, func(d Departure) {
			out = append(out, exits.Record{Label: int(d.Label), Guesses: d.Guesses})
		})
	}
	return out, err
}

// Cascade runs all images of e.Test, whose labels only leave cares for, through a cascade of the network, and calls leave for each
// one when it leaves, in no particular order. It returns the seconds that computing took, without waiting for images.
func (e *Evaluation) Cascade(ctx context.Context, c *exits.Cascade, rule exits.Rule, leave func(Departure)) (seconds float64, err error) {
	in, err := e.Input()
	if err != nil {
		return 0, err
	}
	l, err := evalLoader(e.Test, in, &e.Config, e.Backend)
	if err != nil {
		return 0, err
	}
	report := e.Report
	if report == nil {
		report = func(Event) {}
	}
	left := 0
	return e.cascade(ctx, c, rule, in, l, func(d Departure) {
		left++
		leave(d)
	}, func(_ *runner, b *dataset.Batch) error {
		for _, err := range b.Skipped {
			report(Warning{Kind: "skipped_image", Message: err.Error()})
		}
		report(Evaluating{left, e.Test.Len()})
		return nil
	})
}

// cascade is Cascade on the batches of a loader. It calls after when each batch is on its way.
func (e *Evaluation) cascade(ctx context.Context, c *exits.Cascade, rule exits.Rule, in Input, l *dataset.Loader, leave func(Departure), after func(*runner, *dataset.Batch) error) (seconds float64, err error) {
	if err := rule.Check(c, len(e.Checkpoint.Data.Classes)); err != nil {
		return 0, err
	}
	s, averages, err := e.restore()
	if err != nil {
		return 0, err
	}
	defer s.Close()
	r, err := newRunner(e.Backend, s, c, rule, l, in)
	if err != nil {
		return 0, err
	}
	defer r.close()
	r.averages, r.leave = averages, leave
	timed := func(work func() error) error {
		begin := time.Now()
		err := work()
		seconds += time.Since(begin).Seconds()
		return err
	}
	for b, err := range l.Epoch(ctx, 0, 0) {
		if err != nil {
			return seconds, err
		}
		err := timed(func() error { return r.images(ctx, b) })
		if err == nil {
			err = after(r, b)
		}
		b.Release()
		if err != nil {
			return seconds, err
		}
	}
	return seconds, timed(func() error { return r.flush(ctx) })
}

// runner runs a cascade. Every stage but the first has a queue of activations: its plan runs when a full batch has gathered, so
// that batches stay full however many images leave, and at the end with the rest and rows that count for nothing. All plans read
// one state. Activations wait in the host's memory, as float32.
type runner struct {
	*exits.Cascade
	rule     exits.Rule
	programs []graph.Program // of the stages
	queues   []queue         // what the stages read; the first one's stays empty
	first    []int           // index of each stage's first exit
	labels   []int32         // of no row
	batch    int
	averages bool
	leave    func(Departure)
}

// queue is images before a stage, with the activations that it reads.
type queue struct {
	images []travelling
	x      []float32 // a row for each image
	row    int       // elements
}

// travelling is an image on its way through a cascade.
type travelling struct {
	label   int32
	guesses []exits.Guess
}

func newRunner(b graph.Backend, s graph.State, c *exits.Cascade, rule exits.Rule, l *dataset.Loader, in Input) (*runner, error) {
	batch, _, _, _ := l.Shape()
	r := &runner{Cascade: c, rule: rule, batch: batch, labels: make([]int32, batch), queues: make([]queue, len(c.Stages))}
	for i := range r.labels {
		r.labels[i] = graph.IgnoreLabel
	}
	exit := 0
	for i, stage := range c.Stages {
		o := graph.Options{Batch: batch, From: stage.From, Losses: stage.Exits, Target: b.Target()}
		if i == 0 {
			o.Normalize = &in.Normalization
			o.Regions = l.Regions()
		}
		if stage.To != "" {
			o.Keep = []string{stage.To}
		}
		p, err := load(b, s, o)
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
		r.programs = append(r.programs, p)
		r.queues[i].row = p.Plan().Images.Shape.Elements()
		r.first = append(r.first, exit)
		exit += len(stage.Exits)
	}
	return r, nil
}

func (r *runner) close() error {
	var errs []error
	for _, p := range r.programs {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// images sends a batch on its way.
func (r *runner) images(ctx context.Context, b *dataset.Batch) error {
	if b.Rows == 0 {
		return nil
	}
	start := make([]travelling, b.Rows)
	for i := range start {
		start[i].label = b.Labels[i]
	}
	return r.stage(ctx, 0, start, &graph.Feed{Pixels: b.Images, Regions: b.Regions, Recipes: b.Recipes})
}

// stage runs a stage on a batch whose first rows are images. Those that stay go to the next stage's queue, which runs if it is full.
func (r *runner) stage(ctx context.Context, k int, images []travelling, f *graph.Feed) error {
	p := r.programs[k]
	f.Labels, f.UseAverages = r.labels, r.averages
	if err := p.Run(ctx, f); err != nil {
		return err
	}
	logits, err := r.logits(k)
	if err != nil {
		return err
	}
	var stay []int // rows
	for i := range images {
		if !r.depart(k, &images[i], logits, i) {
			stay = append(stay, i)
		}
	}
	if len(stay) == 0 {
		return nil
	}
	d, err := p.Read(r.Stages[k].To)
	if err != nil {
		return err
	}
	x, err := floats[float32](d)
	if err != nil {
		return err
	}
	q := &r.queues[k+1]
	for _, i := range stay {
		q.images = append(q.images, images[i])
		q.x = append(q.x, x[i*q.row:][:q.row]...)
	}
	if len(q.images) < r.batch {
		return nil
	}
	return r.next(ctx, k+1)
}

// next runs a stage on the first batch of its queue, filled up with zeros if need be.
func (r *runner) next(ctx context.Context, k int) error {
	q := &r.queues[k]
	n, size := min(r.batch, len(q.images)), r.batch*q.row
	for len(q.x) < size {
		q.x = append(q.x, 0)
	}
	if err := r.stage(ctx, k, q.images[:n], &graph.Feed{Images: q.x[:size]}); err != nil {
		return err
	}
	q.images = append(q.images[:0], q.images[n:]...)
	q.x = append(q.x[:0], q.x[size:]...)
	return nil
}

// flush runs what still waits.
func (r *runner) flush(ctx context.Context) error {
	for k := range r.queues {
		for len(r.queues[k].images) > 0 {
			if err := r.next(ctx, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// logits reads the logits of a stage's exits.
func (r *runner) logits(k int) ([][]float64, error) {
	var out [][]float64
	for j := range r.Stages[k].Exits {
		d, err := r.programs[k].Read(r.Cascade.Exits[r.first[k]+j].Logits)
		if err != nil {
			return nil, err
		}
		x, err := floats[float64](d)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// depart lets an image leave at the first exit of a stage that is sure enough of it, and says whether it has left.
func (r *runner) depart(k int, t *travelling, logits [][]float64, row int) bool {
	for j, l := range logits {
		exit := r.first[k] + j
		classes := len(l) / r.batch
		probabilities := l[row*classes:][:classes]
		exits.Softmax(probabilities)
		g := exits.NewGuess(probabilities)
		t.guesses = append(t.guesses, g)
		if exit == len(r.Cascade.Exits)-1 || r.rule.Leaves(exit, g) {
			r.leave(Departure{t.label, exit, t.guesses, probabilities})
			return true
		}
	}
	return false
}

// floats are the elements of what a program has read out.
func floats[T float32 | float64](d *tensor.Dense) ([]T, error) {
	switch x := d.Data().(type) {
	case []T:
		return x, nil
	case []float32:
		return convert[T](x), nil
	case []float64:
		return convert[T](x), nil
	case float32: // tensor hands out a scalar for one element
		return []T{T(x)}, nil
	case float64:
		return []T{T(x)}, nil
	}
	return nil, fmt.Errorf("activations are of type %T, not float32 or float64", d.Data())
}

func convert[D, S float32 | float64](src []S) []D {
	out := make([]D, len(src))
	for i, v := range src {
		out[i] = D(v)
	}
	return out
}
