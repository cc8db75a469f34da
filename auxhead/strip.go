package auxhead

import "github.com/tributary-ml/tributary/graph"

// Main is the name of the main classifier's loss in the networks of this module
// (graph.Graph.MainLoss).
const Main = "main"

// Strip returns the options of a plan without heads, for inference: only the main classifier.
// Nodes, parameters and memory that only heads need are not part of such a plan.
func Strip(g *graph.Graph, o graph.Options) graph.Options {
	o.Losses = []string{g.MainLoss().Name}
	return o
}
