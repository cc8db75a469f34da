package tributary

import (
	"context"
	"errors"
	"time"

	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/graph"
)

// StepTime is the duration of a step of a plan on a device.
type StepTime struct {
	Launches int
	Best     time.Duration // the shortest of MeasureRounds steps
}

// MeasureRounds is the number of times that MeasureSteps times each step.
const MeasureRounds = 7

// MeasureSteps times a step of each of several training plans of a layout, in turns, on random
// images and weights. The plans must have the same batch size and read pixels.
func MeasureSteps(ctx context.Context, b graph.Backend, layout *graph.Layout, plans []*graph.Plan) (_ []StepTime, err error) {
	o := plans[0].Options
	s, err := b.NewState(layout, graph.StateOptions{Slots: o.Optimizer.Slots()})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, p := range layout.Params {
		if err := s.Set(graph.Value, p, tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(p.Initial(1)))); err != nil {
			return nil, err
		}
	}
	feed := graph.Feed{Pixels: make([]byte, o.Batch*plans[0].Images.Shape.Elements()), Labels: make([]int32, o.Batch), LR: 1e-6}
	random := graph.NewRandom(1, "measure")
	for i := range feed.Pixels {
		feed.Pixels[i] = byte(random.Uint32())
	}
	times := make([]StepTime, len(plans))
	var programs []graph.Program
	defer func() {
		for _, p := range programs {
			err = errors.Join(err, p.Close())
		}
	}()
	for i, p := range plans {
		pr, err := b.Load(p, s)
		if err != nil {
			return nil, err
		}
		programs = append(programs, pr)
		times[i].Launches = pr.Launches()
	}
	for round := range MeasureRounds + 1 { // the first warms up
		for i, pr := range programs {
			begin := time.Now()
			if err := pr.Run(ctx, &feed); err != nil {
				return nil, err
			}
			if _, err := pr.Metrics(); err != nil {
				return nil, err
			}
			if d := time.Since(begin); round > 0 && (times[i].Best == 0 || d < times[i].Best) {
				times[i].Best = d
			}
		}
	}
	return times, nil
}
