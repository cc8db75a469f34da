package interop

import (
	"fmt"

	"github.com/tributary-ml/tributary/graph"
)

// Gradients returns the gradients of all trained parameters of a state, with the names and shapes
// of files. They are float64 on an FP64 backend.
func Gradients(s graph.State) ([]Tensor, error) {
	l := s.Layout()
	names, err := NewNames(l.Graph)
	if err != nil {
		return nil, err
	}
	var out []Tensor
	for _, n := range names.all {
		if !l.IsTrained(n.Param) {
			continue
		}
		t, err := n.get(s, graph.Gradient)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// Results returns a program's results as tensors: loss.NAME of each head and loss.total as float64
// scalars, and logits.NAME of shape (N, classes).
func Results(p graph.Program) ([]Tensor, error) {
	m, err := p.Metrics()
	if err != nil {
		return nil, err
	}
	out := []Tensor{scalar("loss.total", m.Total)}
	for _, h := range m.Heads {
		out = append(out, scalar("loss."+h.Name, h.Loss))
	}
	for _, l := range p.Plan().Losses {
		d, err := p.Read(l.Logits.Name())
		if err != nil {
			return nil, fmt.Errorf("logits of %s: %w", l.Name, err)
		}
		data, err := values(d)
		if err != nil {
			return nil, fmt.Errorf("logits of %s: %w", l.Name, err)
		}
		out = append(out, Tensor{"logits." + l.Name, []int{d.Shape()[0], l.Logits.Shape().C}, data})
	}
	return out, nil
}

func scalar(name string, v float64) Tensor { return Tensor{name, []int{}, []float64{v}} }
