package exits

import (
	"context"
	"errors"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/graph"
)

// Departure is an image that has left a cascade.
type Departure struct {
	Label         int32
	Exit          int       // index in Cascade.Exits
	Guesses       []Guess   // of that exit and the exits before it
	Probabilities []float64 // of that exit; valid until the call returns
}

// Runner runs a cascade. Every stage except the first has a queue of activations. Its plan runs
// when the queue has a full batch, so that batches stay full however many images leave. At the end
// it runs with the rest, and with rows that count for nothing. All plans use one state. Activations
// wait in the host's memory, as float32.
type Runner struct {
	*Cascade
	rule     Rule
	programs []graph.Program // one for each stage
	queues   []queue         // the stages' inputs; the first queue stays empty
	first    []int           // index of each stage's first exit
	labels   []int32         // labels that ignore all rows
	batch    int
	averages bool
	leave    func(Departure)
}

// queue has the images before a stage, with the activations that the stage reads.
type queue struct {
	images []travelling
	x      []float32 // a row for each image
	row    int       // number of elements in a row
}

// travelling is an image on its way through a cascade.
type travelling struct {
	label   int32
	guesses []Guess
}

// NewRunner loads a plan for each stage of a cascade, for batches of o.Batch images. o has the
// options of an evaluation that reads images; the first stage uses its normalisation and regions.
// If averages is set, plans use the moving averages of the parameters. The Runner calls leave for
// each image when it leaves.
func NewRunner(b graph.Backend, s graph.State, c *Cascade, rule Rule, o graph.Options, averages bool, leave func(Departure)) (*Runner, error) {
	r := &Runner{Cascade: c, rule: rule, batch: o.Batch, labels: make([]int32, o.Batch), queues: make([]queue, len(c.Stages)), averages: averages, leave: leave}
	for i := range r.labels {
		r.labels[i] = graph.IgnoreLabel
	}
	exit := 0
	for i, stage := range c.Stages {
		o := o
		o.From, o.Losses = stage.From, stage.Exits
		if i > 0 {
			o.Normalize, o.Regions = nil, 0
		}
		if stage.To != "" {
			o.Keep = []string{stage.To}
		}
		p, err := graph.Load(b, s, o)
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		r.programs = append(r.programs, p)
		r.queues[i].row = p.Plan().Images.Shape.Elements()
		r.first = append(r.first, exit)
		exit += len(stage.Exits)
	}
	return r, nil
}

// Close frees the plans.
func (r *Runner) Close() error {
	var errs []error
	for _, p := range r.programs {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// Images runs a batch of images through the cascade. Its first len(labels) rows are images. The
// labels are only passed on to Departure.
func (r *Runner) Images(ctx context.Context, labels []int32, f *graph.Feed) error {
	if len(labels) == 0 {
		return nil
	}
	start := make([]travelling, len(labels))
	for i := range start {
		start[i].label = labels[i]
	}
	return r.stage(ctx, 0, start, f)
}

// stage runs a stage on a batch whose first rows are images. Images that stay go to the next
// stage's queue, which runs if it is full.
func (r *Runner) stage(ctx context.Context, k int, images []travelling, f *graph.Feed) error {
	p := r.programs[k]
	f.Labels, f.UseAverages = r.labels, r.averages
	if err := p.Run(ctx, f); err != nil {
		return err
	}
	logits, err := r.logits(k)
	if err != nil {
		return err
	}
	var stay []int // rows of images that stay
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

// next runs a stage on the first batch of its queue, filled up with zeros if necessary.
func (r *Runner) next(ctx context.Context, k int) error {
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

// Flush runs the images that still wait for a full batch.
func (r *Runner) Flush(ctx context.Context) error {
	for k := range r.queues {
		for len(r.queues[k].images) > 0 {
			if err := r.next(ctx, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// logits returns the logits of a stage's exits.
func (r *Runner) logits(k int) ([][]float64, error) {
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

// depart lets an image leave at the first exit of a stage that is sure enough of it. It reports
// whether the image has left.
func (r *Runner) depart(k int, t *travelling, logits [][]float64, row int) bool {
	for j, l := range logits {
		exit := r.first[k] + j
		classes := len(l) / r.batch
		probabilities := l[row*classes:][:classes]
		Softmax(probabilities)
		g := NewGuess(probabilities)
		t.guesses = append(t.guesses, g)
		if exit == len(r.Cascade.Exits)-1 || r.rule.Leaves(exit, g) {
			r.leave(Departure{t.label, exit, t.guesses, probabilities})
			return true
		}
	}
	return false
}

// floats returns the elements of a tensor that a program returned.
func floats[T float32 | float64](d *tensor.Dense) ([]T, error) {
	switch x := d.Data().(type) {
	case []T:
		return x, nil
	case []float32:
		return convert[T](x), nil
	case []float64:
		return convert[T](x), nil
	case float32: // a tensor with one element returns a scalar
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
