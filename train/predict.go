package train

import (
	"context"
	"slices"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/exits"
)

// Answer is a network's answer to an image.
type Answer struct {
	Image         int       // index in Evaluation.Test
	Exit          int       // index in Cascade.Exits of the exit at which the image left
	Probabilities []float64 // of each class, at that exit
	Err           error     // why the image could not be read; then Exit and Probabilities are unset
}

// heldBatches is the maximum number of batches whose answers wait for an earlier answer.
const heldBatches = 8

// Predict runs all images of e.Test through a cascade of the network and calls tell for each, in
// their order, as soon as its answer and all before it are available. The images' labels are their
// indices, as in dataset.Files. An image that cannot be read is reported at its place. An image
// that waits for a full batch at a later stage holds up the images behind it only briefly: once
// heldBatches batches of answers wait, all stages run with the images they have. Predict stops at
// the first error that tell returns.
func (e *Evaluation) Predict(ctx context.Context, c *exits.Cascade, rule exits.Rule, tell func(Answer) error) error {
	in, err := e.Input()
	if err != nil {
		return err
	}
	l, err := dataset.NewLoader(e.Test, in.Fit, dataset.LoaderOptions{
		Batch: e.Config.Batch, SkipAll: true, Workers: e.Config.Workers, Defer: e.Backend.Target().Augments})
	if err != nil {
		return err
	}
	next := 0
	held := map[int]Answer{} // answers for images behind next
	said := func() error {
		for {
			a, ok := held[next]
			if !ok {
				return nil
			}
			delete(held, next)
			next++
			if err := tell(a); err != nil {
				return err
			}
		}
	}
	_, err = e.cascade(ctx, c, rule, in, l, func(d exits.Departure) {
		held[int(d.Label)] = Answer{Image: int(d.Label), Exit: d.Exit, Probabilities: slices.Clone(d.Probabilities)}
	}, func(r *exits.Runner, b *dataset.Batch) error {
		for i, image := range b.SkippedImages {
			held[image] = Answer{Image: image, Err: b.Skipped[i]}
		}
		err := said()
		if err == nil && len(held) >= heldBatches*e.Config.Batch {
			if err = r.Flush(ctx); err == nil {
				err = said()
			}
		}
		if err == nil && e.Report != nil {
			e.Report(Evaluating{next, e.Test.Len()})
		}
		return err
	})
	if err != nil {
		return err
	}
	return said()
}
