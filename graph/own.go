package graph

// Own returns the nodes that only one head needs, in order of creation. A plan without the head
// does not have them. The parameters of these nodes are the head's. For an unknown head the error
// is an *UnknownError.
func (g *Graph) Own(head string) ([]*Node, error) {
	var mine *Loss
	var theirs []*Node
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
		return nil, &UnknownError{What: "head of " + g.Name(), Name: head, Nearest: Nearest(head, names, 3)}
	}
	all, others := Ancestors(mine.Logits), Ancestors(theirs...)
	var own []*Node
	for _, n := range g.Nodes() {
		if all[n] && !others[n] {
			own = append(own, n)
		}
	}
	return own, nil
}
