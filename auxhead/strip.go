package auxhead

import "github.com/tributary-ml/tributary/graph"

// Main is the name of the main classifier's loss.
const Main = "main"

// Strip returns the options of a plan without heads: only the main classifier, for inference. What only heads need — nodes,
// parameters, memory — is then not part of the plan.
func Strip(o graph.Options) graph.Options {
	o.Losses = []string{Main}
	return o
}
