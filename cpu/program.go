package cpu

import (
	"context"
	"errors"
	"slices"

	"github.com/tributary-ml/tributary/cpu/internal/vec"
	"github.com/tributary-ml/tributary/graph"
	"gorgonia.org/tensor"
)

// program is a plan bound to memory.
type program[T vec.Float] struct {
	plan    *graph.Plan
	state   *state[T]
	version int                 // version of the scratch memory that bound uses
	bound   map[*T][]func(*run) // by the parameter arena that the functions read
	metrics graph.Metrics
}

// run is what the steps of one run share.
type run struct {
	feed    *graph.Feed
	metrics *graph.Metrics
}

func (p *program[T]) Plan() *graph.Plan { return p.plan }
func (p *program[T]) Close() error      { return nil }

// bind returns the functions of all steps for an arena of parameter values.
func (p *program[T]) bind(values []T) ([]func(*run), error) {
	if v := p.state.scratch.version; p.version != v || p.bound == nil {
		p.version, p.bound = v, map[*T][]func(*run){}
	}
	var key *T
	if len(values) > 0 {
		key = &values[0]
	}
	if f, ok := p.bound[key]; ok {
		return f, nil
	}
	b := &binder[T]{program: p, state: p.state, plan: p.plan, values: values, pool: p.state.backend.pool}
	var fs []func(*run)
	for _, s := range p.plan.Steps {
		f, err := b.step(s)
		if err != nil {
			return nil, &graph.NodeError{Node: s.NodeName(), Kind: s.Kind(), Err: err}
		}
		fs = append(fs, b.rounded(s, f))
	}
	p.bound[key] = fs
	return fs, nil
}

func (p *program[T]) Run(ctx context.Context, f *graph.Feed) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := graph.CheckFeed(p.plan, f); err != nil {
		return err
	}
	values := p.state.values
	if f.UseAverages {
		if values = p.state.average; values == nil {
			return errors.New("cpu: the feed asks for moving averages, but the state keeps none")
		}
	}
	steps, err := p.bind(values)
	if err != nil {
		return err
	}
	if p.state.backend.Debug.Poison {
		p.state.scratch.poison()
	}
	p.metrics = graph.Metrics{Heads: make([]graph.HeadMetrics, len(p.plan.Losses))}
	if p.plan.Images.Buffer.External {
		convert(p.images(), f.Images)
	}
	r := &run{feed: f, metrics: &p.metrics}
	for _, step := range steps {
		step(r)
	}
	return nil
}

func (p *program[T]) Metrics() (*graph.Metrics, error) {
	m := p.metrics
	m.Heads = slices.Clone(m.Heads)
	return &m, nil
}

func (p *program[T]) Launches() int { return len(p.plan.Steps) }

func (p *program[T]) ProbeResults() ([]graph.ProbeResult, error) {
	b := &binder[T]{program: p, state: p.state}
	out := make([]graph.ProbeResult, len(p.plan.Probes))
	for i, s := range p.plan.Probes {
		y, c := b.doubles(s.Y), s.X.Shape.C
		out[i] = graph.ProbeResult{Probe: s.Probe, Rows: s.X.Rows(), Squares: slices.Clone(y[:c]), Zeros: slices.Clone(y[c:])}
	}
	return out, nil
}

func (p *program[T]) Read(node string) (*tensor.Dense, error) {
	v, err := p.plan.Output(node)
	if err != nil {
		return nil, err
	}
	b := &binder[T]{program: p, state: p.state}
	m := b.mat(v)
	out := make([]T, 0, v.Elements())
	for i := range m.Rows {
		out = append(out, m.Row(i)...)
	}
	dims := []int{v.N, v.Shape.H, v.Shape.W, v.Shape.C}
	if v.Shape.Pixels() == 1 {
		dims = []int{v.N, v.Shape.C}
	}
	return tensor.New(tensor.WithShape(dims...), tensor.WithBacking(out)), nil
}

// images returns the memory of the float input of a plan without normalisation.
func (p *program[T]) images() []T {
	n := p.plan.Images.Elements()
	return p.state.scratch.images[:n:n]
}
