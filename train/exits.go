package train

import (
	"context"
	"errors"
	"time"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/exits"
	"github.com/tributary-ml/tributary/graph"
)

// ExitResult is the result of a cascade on the test images.
type ExitResult struct {
	exits.Outcome
	Seconds float64 // spent computing, without waiting for images
}

// Rate returns the number of images a second.
func (r *ExitResult) Rate() float64 { return float64(r.Images) / max(r.Seconds, 1e-9) }

// Exits evaluates a cascade of the network under a rule. Images that leave are taken out of their
// batch, and only the others go on through the rest of the trunk. Under a rule without thresholds
// no image leaves early.
func (e *Evaluation) Exits(ctx context.Context, c *exits.Cascade, rule exits.Rule) (ExitResult, error) {
	var r ExitResult
	err := e.labelled()
	if err == nil {
		r.Seconds, err = e.Cascade(ctx, c, rule, func(d exits.Departure) {
			r.Add(d.Exit, len(c.Exits), d.Guesses[d.Exit].Class == int(d.Label))
		})
	}
	return r, err
}

// Records runs all test images through the whole cascade and records the guess of every exit, in
// the order in which images reach the end.
func (e *Evaluation) Records(ctx context.Context, c *exits.Cascade) ([]exits.Record, error) {
	var out []exits.Record
	err := e.labelled()
	if err == nil {
		_, err = e.Cascade(ctx, c, exits.Rule{}, func(d exits.Departure) {
			out = append(out, exits.Record{Label: int(d.Label), Guesses: d.Guesses})
		})
	}
	return out, err
}

// Cascade runs all images of e.Test through a cascade of the network and calls leave once for each
// image when it leaves, in no particular order. Only leave uses the images' labels. Cascade returns
// the seconds spent computing, without waiting for images.
func (e *Evaluation) Cascade(ctx context.Context, c *exits.Cascade, rule exits.Rule, leave func(exits.Departure)) (seconds float64, err error) {
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
	return e.cascade(ctx, c, rule, in, l, func(d exits.Departure) {
		left++
		leave(d)
	}, func(_ *exits.Runner, b *dataset.Batch) error {
		for _, err := range b.Skipped {
			report(Warning{Kind: "skipped_image", Message: err.Error()})
		}
		report(Evaluating{left, e.Test.Len()})
		return nil
	})
}

// cascade does the work of Cascade on the batches of a loader. It calls after once each batch has
// been started.
func (e *Evaluation) cascade(ctx context.Context, c *exits.Cascade, rule exits.Rule, in Input, l *dataset.Loader, leave func(exits.Departure), after func(*exits.Runner, *dataset.Batch) error) (seconds float64, err error) {
	if err := rule.Check(c, len(e.Checkpoint.Data.Classes)); err != nil {
		return 0, err
	}
	s, averages, err := e.restore()
	if err != nil {
		return 0, err
	}
	defer s.Close()
	r, err := exits.NewRunner(e.Backend, s, c, rule, evalOptions(e.Backend, l, in, nil), averages, leave)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
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
		err := timed(func() error {
			var f graph.Feed
			setBatch(&f, b)
			return r.Images(ctx, b.Labels[:b.Rows], &f)
		})
		if err == nil {
			err = after(r, b)
		}
		b.Release()
		if err != nil {
			return seconds, err
		}
	}
	return seconds, timed(func() error { return r.Flush(ctx) })
}
