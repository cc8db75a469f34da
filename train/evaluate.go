package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
)

// evaluate runs a loader's images through a program once. The last batch is filled up with rows that count for nothing, so
// that hits and losses are exact. Losses are cross-entropy with the network's label smoothing.
func evaluate(ctx context.Context, p graph.Program, l *dataset.Loader, averages bool, images int, report Reporter) (Result, error) {
	var sum Tally
	for b, err := range l.Epoch(ctx, 0, 0) {
		if err != nil {
			return Result{}, dataError{err}
		}
		for _, err := range b.Skipped {
			report(Warning{Kind: "skipped_image", Message: err.Error()})
		}
		f := graph.Feed{UseAverages: averages}
		setBatch(&f, b)
		m, err := run(ctx, p, &f)
		b.Release()
		if err != nil {
			return Result{}, err
		}
		sum.add(m)
		report(Evaluating{sum.Rows, images})
	}
	return sum.Result(), nil
}

// run runs a program and waits for its metrics.
func run(ctx context.Context, p graph.Program, f *graph.Feed) (*graph.Metrics, error) {
	if err := p.Run(ctx, f); err != nil {
		return nil, err
	}
	return p.Metrics()
}

// Evaluation is a checkpoint's network ready to be evaluated.
type Evaluation struct {
	Graph      *graph.Graph
	Backend    graph.Backend
	Test       dataset.Source
	Checkpoint *Checkpoint
	Config     Config   // batch, workers and skip-bad apply
	Heads      []string // nil: all
	Report     Reporter
}

// Run evaluates the moving averages where the checkpoint has them, otherwise the values.
func (e *Evaluation) Run(ctx context.Context) (r Result, err error) {
	if e.Report == nil {
		e.Report = func(Event) {}
	}
	if err := e.labelled(); err != nil {
		return Result{}, err
	}
	s, averages, err := e.restore()
	if err != nil {
		return Result{}, err
	}
	defer s.Close()
	in, err := e.Input()
	if err != nil {
		return Result{}, err
	}
	l, err := evalLoader(e.Test, in, &e.Config, e.Backend)
	if err != nil {
		return Result{}, err
	}
	p, err := loadEval(e.Backend, s, l, in, e.Heads)
	if err != nil {
		return Result{}, err
	}
	defer p.Close()
	return evaluate(ctx, p, l, averages, e.Test.Len(), e.Report)
}

// Input is how test images become the network's input: as those of the checkpoint's run, whatever data they are of.
func (e *Evaluation) Input() (Input, error) {
	in := e.Graph.InputNode().Shape()
	return e.Checkpoint.Input(in.H, in.W)
}

// restore makes a state of the checkpoint's values, and of its moving averages where it has them: then those are evaluated.
func (e *Evaluation) restore() (s graph.State, averages bool, err error) {
	layout, err := graph.NewLayout(e.Graph)
	if err != nil {
		return nil, false, err
	}
	averages = e.Checkpoint.Has(graph.Average)
	if s, err = e.Backend.NewState(layout, graph.StateOptions{EMA: averages}); err != nil {
		return nil, false, err
	}
	if err := e.Checkpoint.Restore(s); err != nil {
		return nil, false, errors.Join(err, s.Close())
	}
	return s, averages, nil
}

// labelled returns an error where the test images' classes are not the checkpoint's.
func (e *Evaluation) labelled() error {
	if diff := e.Checkpoint.Data.differences(infoOf(e.Test)); diff != nil {
		return fmt.Errorf("checkpoint %s cannot tell these classes apart: %s", e.Checkpoint.Path, diff[0])
	}
	return nil
}
