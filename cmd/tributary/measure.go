package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/graph"
)

// timing is what whole steps take on the device, as inspect --measure finds it.
type timing struct {
	full    stepTime
	main    stepTime   // without any head
	without []stepTime // without one head, in the order of report.heads
}

type stepTime struct {
	launches int
	best     time.Duration
}

// measureRounds is how often each step is timed; the best time counts.
const measureRounds = 7

// measure times a training step with all heads, with none, and without each of them, in turns, on random images and weights.
func (r *report) measure(ctx context.Context) (_ *timing, err error) {
	layout := r.training.Layout
	s, err := r.backend.NewState(layout, graph.StateOptions{Slots: r.training.Options.Optimizer.Slots()})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, p := range layout.Params {
		if err := s.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(p.Initial(1)))); err != nil {
			return nil, err
		}
	}
	plans := []*graph.Plan{r.training, r.mainOnly}
	for _, h := range r.heads {
		plans = append(plans, h.without)
	}
	feed := graph.Feed{Pixels: make([]byte, r.training.Options.Batch*r.training.Images.Shape.Elements()), Labels: make([]int32, r.training.Options.Batch), LR: 1e-6}
	random := graph.NewRandom(1, "measure")
	for i := range feed.Pixels {
		feed.Pixels[i] = byte(random.Uint32())
	}
	times := make([]stepTime, len(plans))
	var programs []graph.Program
	defer func() {
		for _, p := range programs {
			err = errors.Join(err, p.Close())
		}
	}()
	for i, p := range plans {
		pr, err := r.backend.Load(p, s)
		if err != nil {
			return nil, err
		}
		programs = append(programs, pr)
		times[i].launches = pr.Launches()
	}
	for round := range measureRounds + 1 { // the first warms up
		for i, pr := range programs {
			begin := time.Now()
			if err := pr.Run(ctx, &feed); err != nil {
				return nil, err
			}
			if _, err := pr.Metrics(); err != nil {
				return nil, err
			}
			if d := time.Since(begin); round > 0 && (times[i].best == 0 || d < times[i].best) {
				times[i].best = d
			}
		}
	}
	return &timing{times[0], times[1], times[2:]}, nil
}

func (r *report) printTiming(out io.Writer, t *timing) {
	rate := func(s stepTime) string {
		return fmt.Sprintf("%9.2f ms %9.1f images/s", 1e3*s.best.Seconds(), float64(r.training.Options.Batch)/s.best.Seconds())
	}
	fmt.Fprintf(out, "\nmeasured on this device, the best of %d steps each, in turns\n", measureRounds)
	fmt.Fprintf(out, "%-24s %6d launches %s\n", "training with heads", t.full.launches, rate(t.full))
	fmt.Fprintf(out, "%-24s %6d launches %s\n", "training without heads", t.main.launches, rate(t.main))
	for i, h := range r.heads {
		share := 1 - t.without[i].best.Seconds()/t.full.best.Seconds()
		fmt.Fprintf(out, "%-24s %6d launches %9.2f ms %9.1f %% of the step\n", "head "+h.Name, t.full.launches-t.without[i].launches,
			1e3*(t.full.best-t.without[i].best).Seconds(), 100*share)
	}
}
