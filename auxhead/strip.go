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

// Own returns the nodes that only one head needs, in order of creation: what a plan without it saves. Its parameters are
// theirs. An unknown head is a *graph.UnknownError.
func Own(g *graph.Graph, head string) ([]*graph.Node, error) {
	var mine *graph.Loss
	var theirs []*graph.Node
	var names []string
	for _, l := range g.Losses() {
		names = append(names, l.Name)
		if l.Name == head {
			mine = l
			continue
		}
		theirs = append(theirs, l.Logits)
	}
	if mine == nil {
		return nil, &graph.UnknownError{What: "head of " + g.Name(), Name: head, Nearest: graph.Nearest(head, names, 3)}
	}
	all, others := graph.Ancestors(mine.Logits), graph.Ancestors(theirs...)
	var own []*graph.Node
	for _, n := range g.Nodes() {
		if all[n] && !others[n] {
			own = append(own, n)
		}
	}
	return own, nil
}
