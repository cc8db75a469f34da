package graph

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
)

// Op is one operation of the graph: the attributes of a node, with its rules. The types of this
// package that implement it are all operations.
type Op interface {
	// Kind is the operation's name in listings, such as "conv" or "maxpool".
	Kind() string
	// infer is the shape rule. It checks the inputs and returns the operation with every attribute
	// resolved, and the output's shape.
	infer(in []Shape) (Op, Shape, error)
	// params declares the parameters of a node of this operation.
	params(in []Shape) []*Param
	// forward emits the steps that compute a node.
	forward(c *compiler, n *Node)
	// backward is the gradient rule: it emits the steps that carry the gradient of a node to its
	// inputs and parameters.
	backward(c *compiler, n *Node)
}

// These are optional rules of operations, besides those of Op.
type (
	// multiplier is an operation that multiplies and accumulates. See Node.MACs.
	multiplier interface{ macs(n *Node) int64 }
	// beginner is an operation that emits a step before the steps of all nodes.
	beginner interface{ begin(c *compiler, n *Node) }
	// fuser is an operation that decides which neighbours the step of a node also computes.
	fuser interface{ fuse(c *compiler, n *Node) }
	// masker is an operation whose gradient rule applies the mask of a ReLU that its step computes.
	masker interface{ masks() }
	// inPlacer is an operation whose gradient rule works in place: the gradient of one input may
	// overwrite the gradient of the output. inPlace returns the index of that input, or -1 for
	// none.
	inPlacer interface {
		inPlace(c *compiler, n *Node) int
	}
)

// Node is one operation applied to the outputs of others. Names are paths:
// "inception4a/tower3x3/conv".
type Node struct {
	name   string
	op     Op
	in     []*Node
	params []*Param
	shape  Shape
	index  int // order of creation, a topological order
}

// Name returns the node's unique name.
func (n *Node) Name() string { return n.name }

// Op returns the node's operation with its attributes resolved.
func (n *Node) Op() Op { return n.op }

// Inputs returns the nodes whose outputs this node reads.
func (n *Node) Inputs() []*Node { return n.in }

// Ancestors returns the nodes and all nodes that they depend on.
func Ancestors(nodes ...*Node) map[*Node]bool {
	seen := map[*Node]bool{}
	var visit func([]*Node)
	visit = func(nodes []*Node) {
		for _, n := range nodes {
			if !seen[n] {
				seen[n] = true
				visit(n.in)
			}
		}
	}
	visit(nodes)
	return seen
}

// Params returns the node's parameters.
func (n *Node) Params() []*Param { return n.params }

// MACs returns the number of multiply-accumulates of a node for one sample. Only convolutions and
// fully connected layers count, by their definition, as is usual in papers on this family of
// networks.
func (n *Node) MACs() int64 {
	if o, ok := n.op.(multiplier); ok {
		return o.macs(n)
	}
	return 0
}

// Shape returns the shape of the node's output for one sample.
func (n *Node) Shape() Shape { return n.shape }

// EndPoint is a node to which a network gives another name: the output of a module or of one tower
// in a module. Heads attach to end points.
type EndPoint struct {
	Name string
	Node *Node
}

// Loss is one softmax-cross-entropy head: the node that computes its logits, and its part of the
// total loss.
type Loss struct {
	Name      string  // "main", "aux1", …
	Logits    *Node   // shape (1, 1, classes)
	Weight    float64 // factor in the total loss, unless a schedule gives another
	Smoothing float64 // label smoothing ε: targets are (1-ε)·onehot + ε/classes (Szegedy et al. 2016, section 7)
	At        string  // the node or end point that the head reads; empty for the main head

	// Distill is the share λ, in [0,1), that the main head's answer has in the loss of a training
	// plan. Temperature is T (0 means 1). The loss is (1-λ)·cross entropy + λ·T²·KL(softmax(main/T)
	// ‖ softmax(logits/T)), with the main head as a constant (self-distillation: Zhang et al. 2019;
	// the T² is from Hinton et al. 2015). In plans without the main head, and in evaluation, the
	// loss is the cross entropy.
	Distill, Temperature float64
}

// IgnoreLabel is the label of a row that counts for no head, such as the padding of a short batch.
const IgnoreLabel int32 = -1

// Graph is a network, during construction and after. Building methods return the new node. After
// the first error, every call returns a placeholder, and Err returns the error. So code that builds
// a network checks for errors once, at the end.
type Graph struct {
	name   string
	nodes  []*Node
	byName map[string]*Node
	params []*Param
	ends   []EndPoint
	losses []*Loss
	err    error
}

// New returns an empty graph. The name is the network's.
func New(name string) *Graph {
	return &Graph{name: name, byName: map[string]*Node{}}
}

// Name returns the network's name.
func (g *Graph) Name() string { return g.name }

// Err returns the first error of construction, or nil.
func (g *Graph) Err() error { return g.err }

// Nodes returns all nodes in order of creation, which is a topological order.
func (g *Graph) Nodes() []*Node { return g.nodes }

// Params returns all parameters in order of creation.
func (g *Graph) Params() []*Param { return g.params }

// EndPoints returns the named outputs of modules and towers in order of creation.
func (g *Graph) EndPoints() []EndPoint { return g.ends }

// Losses returns the losses of all heads, the main one first.
func (g *Graph) Losses() []*Loss { return g.losses }

// MainLoss returns the loss of the main classifier, which is the first that was added, or nil if
// the graph has no loss.
func (g *Graph) MainLoss() *Loss {
	if len(g.losses) == 0 {
		return nil
	}
	return g.losses[0]
}

// AuxLosses returns the losses of the auxiliary heads, in order.
func (g *Graph) AuxLosses() []*Loss { return g.losses[min(1, len(g.losses)):] }

// InputNode returns the graph's input, or nil.
func (g *Graph) InputNode() *Node {
	for _, n := range g.nodes {
		if _, ok := n.op.(Input); ok {
			return n
		}
	}
	return nil
}

// NodeError is an error of building or compiling at a node.
type NodeError struct {
	Node string
	Kind string
	Err  error
}

func (e *NodeError) Error() string { return fmt.Sprintf("%s %q: %v", e.Kind, e.Node, e.Err) }

// Unwrap returns the cause.
func (e *NodeError) Unwrap() error { return e.Err }

// Fail records an error of code that builds on the graph, unless the graph already has an error.
func (g *Graph) Fail(err error) {
	if g.err == nil {
		g.err = err
	}
}

// Apply adds a node of an operation.
func (g *Graph) Apply(name string, op Op, in ...*Node) *Node {
	n := &Node{name: name, op: op, in: in, index: len(g.nodes)}
	if g.err != nil {
		return n
	}
	fail := func(err error) *Node {
		g.err = &NodeError{Node: name, Kind: op.Kind(), Err: err}
		return n
	}
	if name == "" || strings.ContainsAny(name, " :,*?[]") || path.Clean(name) != name {
		return fail(errors.New("a node's name is a path like inception4a/tower3x3/conv, without spaces, colons, commas and wildcards"))
	}
	if g.byName[name] != nil {
		return fail(errors.New("the graph has a node of this name already"))
	}
	shapes := make([]Shape, len(in))
	for i, x := range in {
		if x == nil || x.index >= len(g.nodes) || g.nodes[x.index] != x {
			return fail(fmt.Errorf("input %d is not a node of this graph", i))
		}
		shapes[i] = x.shape
	}
	resolved, shape, err := op.infer(shapes)
	if err != nil {
		return fail(err)
	}
	if !shape.valid() {
		return fail(fmt.Errorf("output shape %s is empty", shape))
	}
	n.op, n.shape, n.params = resolved, shape, resolved.params(shapes)
	for _, p := range n.params {
		p.Name = name + "/" + string(p.Role)
	}
	g.params = append(g.params, n.params...)
	g.nodes = append(g.nodes, n)
	g.byName[name] = n
	return n
}

// Mark makes a node an end point, to which heads can attach.
func (g *Graph) Mark(name string, n *Node) *Node {
	if g.err == nil {
		if _, err := g.endPoint(name); err == nil {
			g.err = fmt.Errorf("the graph has an end point %q already", name)
			return n
		}
		g.ends = append(g.ends, EndPoint{name, n})
	}
	return n
}

func (g *Graph) endPoint(name string) (*Node, error) {
	for _, e := range g.ends {
		if e.Name == name {
			return e.Node, nil
		}
	}
	return nil, fmt.Errorf("no end point %q", name)
}

// AddLoss adds a head's loss. The first loss is the main classifier's.
func (g *Graph) AddLoss(l Loss) {
	if g.err != nil {
		return
	}
	switch {
	case l.Name == "" || l.Logits == nil:
		g.err = errors.New("a loss needs a name and logits")
	case l.Logits.shape.Pixels() != 1 || l.Logits.shape.C < 2:
		g.err = &NodeError{l.Logits.name, "loss", fmt.Errorf("logits have shape %s; a classifier's are 1x1xCLASSES with at least 2 classes", l.Logits.shape)}
	case len(g.losses) > 0 && l.Logits.shape != g.losses[0].Logits.shape:
		g.err = &NodeError{l.Logits.name, "loss", fmt.Errorf("head %q has %d classes, the main head has %d", l.Name, l.Logits.shape.C, g.losses[0].Logits.shape.C)}
	case l.Smoothing < 0 || l.Smoothing >= 1:
		g.err = fmt.Errorf("head %q: label smoothing %v is not in [0,1)", l.Name, l.Smoothing)
	case !(l.Distill >= 0 && l.Distill < 1) || !(l.Temperature >= 0) || math.IsInf(l.Temperature, 0):
		g.err = fmt.Errorf("head %q: distillation has a share of %v, which must be in [0,1), and a temperature of %v, which must not be negative", l.Name, l.Distill, l.Temperature)
	case l.Distill > 0 && len(g.losses) == 0:
		g.err = fmt.Errorf("head %q is the main one: no head comes before it to learn from", l.Name)
	case slices.ContainsFunc(g.losses, func(o *Loss) bool { return o.Name == l.Name }):
		g.err = fmt.Errorf("the graph has a head %q already", l.Name)
	default:
		g.losses = append(g.losses, &l)
	}
}

// Find returns the end point or node with a name. For an unknown name the error is an *UnknownError
// with the nearest names.
func (g *Graph) Find(name string) (*Node, error) {
	if n, err := g.endPoint(name); err == nil {
		return n, nil
	}
	if n := g.byName[name]; n != nil {
		return n, nil
	}
	return nil, &UnknownError{What: "node or end point of " + g.name, Name: name, Nearest: Nearest(name, g.names(), 3)}
}

// Glob returns the end points whose names match a pattern of path.Match ("inception4*/tower3x3"),
// in order of creation. If no end point matches, it returns the nodes that match. If nothing
// matches, the error is an *UnknownError.
func (g *Graph) Glob(pattern string) ([]EndPoint, error) {
	if !strings.ContainsAny(pattern, "*?[") {
		n, err := g.Find(pattern)
		if err != nil {
			return nil, err
		}
		return []EndPoint{{pattern, n}}, nil
	}
	if _, err := path.Match(pattern, "x"); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	var out []EndPoint
	for _, e := range g.ends {
		if ok, _ := path.Match(pattern, e.Name); ok {
			out = append(out, e)
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	for _, n := range g.nodes {
		if ok, _ := path.Match(pattern, n.name); ok {
			out = append(out, EndPoint{n.name, n})
		}
	}
	if len(out) == 0 {
		return nil, &UnknownError{What: "node or end point of " + g.name, Name: pattern, Nearest: Nearest(pattern, g.names(), 3)}
	}
	return out, nil
}

func (g *Graph) names() []string {
	var names []string
	for _, e := range g.ends {
		names = append(names, e.Name)
	}
	for _, n := range g.nodes {
		names = append(names, n.name)
	}
	return names
}

// Param returns the parameter with a name.
func (g *Graph) Param(name string) (*Param, error) {
	names := make([]string, len(g.params))
	for i, p := range g.params {
		if p.Name == name {
			return p, nil
		}
		names[i] = p.Name
	}
	return nil, &UnknownError{What: "parameter of " + g.name, Name: name, Nearest: Nearest(name, names, 3)}
}
