package graph

// Layout is the order in which the parameters of a graph lie in one flat arena: first those that are trained, in the order in
// which the reverse sweep finishes their gradients (so that pieces of the gradient arena can leave for other devices while the
// sweep still runs), then the frozen ones and the running statistics. The gradient arena is the first part alone.
type Layout struct {
	Graph    *Graph
	Params   []*Param
	Trained  int // elements of the part that is trained
	Elements int // of all
	offset   map[*Param]int
}

// NewLayout lays the parameters of a graph out. Freeze parameters (Param.Trainable) before.
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

// Offset is where a parameter starts, in elements.
func (l *Layout) Offset(p *Param) int { return l.offset[p] }

// IsTrained says whether a parameter has a gradient.
func (l *Layout) IsTrained(p *Param) bool {
	o, ok := l.offset[p]
	return ok && o < l.Trained
}
