package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
)

// evaluate runs a loader's images through a program once. Rows that fill up the last batch count
// for nothing, so hits and losses are exact. Losses are cross-entropy with the network's label
// smoothing.
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

// run runs a program, waits for its metrics and returns them.
func run(ctx context.Context, p graph.Program, f *graph.Feed) (*graph.Metrics, error) {
	if err := p.Run(ctx, f); err != nil {
		return nil, err
	}
	return p.Metrics()
}

// Evaluation evaluates the network of a checkpoint.
type Evaluation struct {
	Graph      *graph.Graph
	Backend    graph.Backend
	Test       dataset.Source
	Checkpoint *Checkpoint
	Config     Config   // only batch, workers and skip-bad are used
	Heads      []string // nil: all heads
	Report     Reporter
}

// Run evaluates the network on the test images. It uses the moving averages of the parameters if
// the checkpoint has them, otherwise the values.
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

// Input returns how test images become the network's input: as in the checkpoint's run, whatever
// data the test images are from.
func (e *Evaluation) Input() (Input, error) {
	in := e.Graph.InputNode().Shape()
	return e.Checkpoint.Input(in.H, in.W)
}

// restore makes a state with the checkpoint's values, and with its moving averages if it has them.
// averages reports whether it has them: then they are evaluated.
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

// labelled returns an error if the test images' classes are not the checkpoint's.
func (e *Evaluation) labelled() error {
	if diff := e.Checkpoint.Data.differences(infoOf(e.Test)); diff != nil {
		return fmt.Errorf("checkpoint %s cannot tell these classes apart: %s", e.Checkpoint.Path, diff[0])
	}
	return nil
}
