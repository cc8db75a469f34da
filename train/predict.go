package train

import (
	"context"
	"slices"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/exits"
)

// Answer is what a network tells of an image.
type Answer struct {
	Image         int       // its number in Evaluation.Test
	Exit          int       // index in Cascade.Exits
	Probabilities []float64 // of that exit, for each class
	Err           error     // why there is no image, otherwise nil: the rest is then unset
}

// heldBatches is how many batches of answers wait for one before them, at the most.
const heldBatches = 8

// Predict runs all images of e.Test, whose labels are their numbers (dataset.Files), through a cascade of the network, and calls tell
// for each in their order as soon as it and all before it are there. Images that cannot be read are told of at their places. An image
// that waits for a full batch before a later stage holds up those behind it: not for long, then what waits runs as it is. An error of
// tell ends it.
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
	held := map[int]Answer{} // answers to images behind next
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
