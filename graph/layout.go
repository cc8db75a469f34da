package graph

// Layout is the order of a graph's parameters in one flat arena. Trained parameters come first, in
// the order in which the reverse sweep completes their gradients, so that parts of the gradient
// arena can be sent to other devices during the sweep. Frozen parameters and running statistics
// follow. The gradient arena has the first part alone.
type Layout struct {
	Graph    *Graph
	Params   []*Param
	Trained  int // elements of the trained part
	Elements int // elements of all parts
	offset   map[*Param]int
}

// NewLayout returns the layout of a graph's parameters. Set Param.Trainable before the call.
func NewLayout(g *Graph) (*Layout, error) {
	if g.err != nil {
		return nil, g.err
	}
	l := &Layout{Graph: g, offset: map[*Param]int{}}
	p, err := compile(g, l, Options{Batch: 2, Training: true, Target: Target{Fusions: AllFusions}})
	if err != nil {
		return nil, err
	}
	add := func(q *Param) {
		if _, ok := l.offset[q]; !ok {
			l.offset[q] = l.Elements
			l.Elements += roundUp(q.Elements(), 16)
			l.Params = append(l.Params, q)
		}
	}
	for _, s := range p.Steps {
		for _, q := range s.Gradients() {
			add(q)
		}
	}
	l.Trained = l.Elements
	for _, q := range g.params {
		add(q)
	}
	return l, nil
}

// Offset returns the index of a parameter's first element.
func (l *Layout) Offset(p *Param) int { return l.offset[p] }

// IsTrained reports whether a parameter has a gradient.
func (l *Layout) IsTrained(p *Param) bool {
	o, ok := l.offset[p]
	return ok && o < l.Trained
}
