package gradflow

import (
	"context"
	"errors"
	"fmt"

	"github.com/tributary-ml/tributary/graph"
)

// sweeps runs one head's loss and reverse sweep at a time on the parameters of a run, and keeps
// each head's gradient in a snapshot of the state.
type sweeps struct {
	state    graph.State
	images   int // images of a batch that are used
	programs []graph.Program
	reached  []map[*graph.Param]bool // by head: the parameters that its loss has a gradient of
}

// plans compiles a plan for each head. o has the options of a run's training plan.
func (s *sweeps) plans(o graph.Options, probes func(head int) []graph.Probe) ([]*graph.Plan, error) {
	g := s.state.Layout().Graph
	o.Batch, o.Optimizer, o.Keep, o.FreezeStatistics = s.images, nil, nil, true
	var out []*graph.Plan
	for i, l := range g.Losses() {
		o.Losses, o.Probes = s.losses(i), probes(i)
		p, err := graph.Compile(g, s.state.Layout(), o)
		if err != nil {
			return nil, fmt.Errorf("the gradient of head %s by itself: %w", l.Name, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// losses returns the losses in the plan of the i-th head: its own, preceded by the main one if the
// head learns from it. The main one then has a weight of zero.
func (s *sweeps) losses(i int) []string {
	all := s.state.Layout().Graph.Losses()
	if all[i].Distill > 0 {
		return []string{all[0].Name, all[i].Name}
	}
	return []string{all[i].Name}
}

func (s *sweeps) load(b graph.Backend, plans []*graph.Plan) error {
	losses := s.state.Layout().Graph.Losses()
	for i, p := range plans {
		pr, err := b.Load(p, s.state)
		if err != nil {
			return errors.Join(err, s.Close())
		}
		s.programs = append(s.programs, pr)
		written := map[*graph.Param]bool{}
		for _, step := range p.Steps {
			for _, q := range step.Gradients() {
				written[q] = true
			}
		}
		reached := map[*graph.Param]bool{} // not the teacher's own, to which the sweep writes zeros
		for n := range graph.Ancestors(losses[i].Logits) {
			for _, q := range n.Params() {
				reached[q] = written[q]
			}
		}
		s.reached = append(s.reached, reached)
	}
	return nil
}

// weight returns the weight of the i-th head in a feed.
func (s *sweeps) weight(i int, feed *graph.Feed) float64 {
	if feed.HeadWeights != nil {
		return feed.HeadWeights[i]
	}
	return s.state.Layout().Graph.Losses()[i].Weight
}

// run computes the gradient of the i-th head's weighted loss, stores it in the head's snapshot, and
// returns the loss.
func (s *sweeps) run(ctx context.Context, i int, feed *graph.Feed) (float64, error) {
	one := feed.First(s.programs[i].Plan())
	one.HeadWeights, one.GradScale, one.Accumulate, one.SkipUpdate = make([]float64, len(s.losses(i))), 0, false, false
	own := len(one.HeadWeights) - 1
	one.HeadWeights[own] = s.weight(i, feed)
	if err := s.programs[i].Run(ctx, one); err != nil {
		return 0, err
	}
	m, err := s.programs[i].Metrics()
	if err != nil {
		return 0, err
	}
	return m.Heads[own].Loss, s.state.Copy(graph.Snapshot(i), graph.Gradient)
}

// products compares the heads' gradients in the snapshots. out[i][j], with j >= i, has the result
// of State.Compare for heads i and j.
func (s *sweeps) products() ([][][]graph.Comparison, error) {
	n := len(s.programs)
	out := make([][][]graph.Comparison, n)
	for i := range n {
		out[i] = make([][]graph.Comparison, n)
		for j := min(i+1, n-1); j < n; j++ {
			var err error
			if out[i][j], err = s.state.Compare(graph.Snapshot(i), graph.Snapshot(j)); err != nil {
				return nil, err
			}
		}
		if i < n-1 { // a head with itself: the comparison with the next head has the squares
			for _, c := range out[i][i+1] {
				out[i][i] = append(out[i][i], graph.Comparison{Dot: c.Squares, Squares: c.Squares})
			}
		}
	}
	return out, nil
}

// Close frees the plans.
func (s *sweeps) Close() error {
	var err error
	for _, p := range s.programs {
		err = errors.Join(err, p.Close())
	}
	s.programs = nil
	return err
}
