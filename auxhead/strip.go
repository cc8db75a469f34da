package auxhead

import "github.com/tributary-ml/tributary/graph"

// Main is the name that networks of this module give the main classifier's loss (graph.Graph.MainLoss).
const Main = "main"

// Strip returns the options of a plan without heads: only the main classifier, for inference. What only heads need — nodes,
// parameters, memory — is then not part of the plan.
func Strip(g *graph.Graph, o graph.Options) graph.Options {
	o.Losses = []string{g.MainLoss().Name}
	return o
}
