package train

import (
	"context"
	"fmt"
	"math"

	"github.com/tributary-ml/tributary/graph"
)

// firstNonFinite finds where the numbers of a step stop being finite. It first looks for such a
// value among the parameters. Then it runs the step again, unfused, on the same batch and the same
// values (an update with such a gradient changes no value), and looks at every activation and every
// gradient. It returns the first that is not finite, in words, or "" if all are finite. The options
// are those of the run's training plan.
func firstNonFinite(ctx context.Context, b graph.Backend, s graph.State, o graph.Options, f *graph.Feed) (string, error) {
	values, err := s.Compare(graph.Value, graph.Value)
	if err != nil {
		return "", err
	}
	for i, p := range s.Layout().Params {
		if !finite(values[i].Squares) && !p.IsStatistic() {
			return "parameter " + p.Name, nil
		}
	}
	g := s.Layout().Graph
	o.Optimizer, o.FreezeStatistics, o.Fusions = nil, true, graph.Fusions{}
	for _, n := range g.Nodes() {
		o.Probes = append(o.Probes, graph.Probe{Node: n.Name()}, graph.Probe{Node: n.Name(), Gradient: true})
	}
	p, err := graph.Load(b, s, o)
	if err != nil {
		return "", err
	}
	defer p.Close()
	if err := p.Run(ctx, f); err != nil {
		return "", err
	}
	measures, err := p.ProbeResults()
	if err != nil {
		return "", err
	}
	for _, m := range measures {
		for c, v := range m.Squares {
			if finite(v) {
				continue
			}
			what := "activation"
			if m.Gradient {
				what = "gradient"
			}
			size := "is not a number"
			if math.IsInf(v, 0) {
				size = "is above 1e19 in size, or infinite"
			}
			return fmt.Sprintf("the %s of %s (channel %d %s)", what, m.Node, c, size), nil
		}
	}
	return "", nil
}
