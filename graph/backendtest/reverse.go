package backendtest

import (
	"slices"

	"github.com/tributary-ml/tributary/graph"
)

// sweep is a node in a reverse sweep. evaluation.y is the node's value, dy is the gradient by that
// value, and dx is the gradient by the value of the first input. nodes and gradients have the
// gradients by the values of all nodes and by all parameters.
type sweep struct {
	evaluation
	dy, dx    []float64
	nodes     map[*graph.Node][]float64
	gradients map[*graph.Param][]float64
}

// reverse returns the reference's own gradient of Σ weight·loss by every node's output and by every
// parameter. It is a reverse sweep over the values of evaluate. The rules of the operations are
// operation.gradient.
func (r *reference) reverse(losses []*graph.Loss, weights []float64) (nodes map[*graph.Node][]float64, params map[*graph.Param][]float64) {
	nodes, params = map[*graph.Node][]float64{}, map[*graph.Param][]float64{}
	all := r.g.Nodes()
	for _, n := range all {
		nodes[n] = make([]float64, r.batch*n.Shape().Elements())
		for _, p := range n.Params() {
			params[p] = make([]float64, p.Elements())
		}
	}
	for i, l := range losses {
		r.lossGradient(nodes[l.Logits], l, weights[i])
	}
	for _, n := range slices.Backward(all) {
		if len(n.Inputs()) == 0 {
			continue
		}
		x := n.Inputs()[0]
		operationOf(n.Op().Kind()).gradient(sweep{
			evaluation: evaluation{reference: r, n: n, in: x.Shape(), out: n.Shape(), x: r.values[x], y: r.values[n]},
			dy:         nodes[n], dx: nodes[x], nodes: nodes, gradients: params,
		})
	}
	return nodes, params
}
