package exits

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// Cascade is an evaluation network whose heads are exits (BranchyNet, Teerapittayanon et al. 2016).
// It is cut into stages, so that only images that have not left go on through the rest of the
// trunk.
type Cascade struct {
	Stages []Stage
	Exits  []Exit // in order of depth; the main classifier last
	Whole  int64  // multiply-accumulates for one image in the network without heads
}

// Stage is the part of the network from one cut to the next.
type Stage struct {
	From  string   // node whose activation the stage reads; empty: the stage reads images
	To    string   // node whose activation the next stage reads; empty: there is no next stage
	Exits []string // heads that the stage computes, in order of depth
	MACs  int64    // multiply-accumulates for one image, in trunk and heads
}

// Exit is a place where images can leave.
type Exit struct {
	Name   string // name of the head
	At     string // place that the head reads; empty for the main classifier
	Logits string // name of the node
	Stage  int    // the stage that computes it
	MACs   int64  // multiply-accumulates for an image that leaves here, in all stages up to this one
}

// NewCascade cuts a network behind the places that its heads read. It cuts at single nodes through
// which all paths to the main classifier lead: the node that a head reads or, if that is one tower
// of a module, the module's output. names are the heads to use; nil means all of them. The main
// classifier is always the last exit, and the only one if names is empty but not nil. Heads with
// the same cut share a stage.
//
// Errors: *graph.UnknownError for a head that does not exist; a network without heads if names is
// nil; heads whose cut is the end of the network, so that leaving there saves nothing, if they are
// named or if there are no others.
func NewCascade(g *graph.Graph, names []string) (*Cascade, error) {
	if err := g.Err(); err != nil {
		return nil, err
	}
	heads, err := exitHeads(g, names)
	if err != nil {
		return nil, err
	}
	t := newBackbone(g)
	var behind []string
	cut := map[*graph.Loss]int{}
	heads = slices.DeleteFunc(heads, func(l *graph.Loss) bool {
		cut[l] = t.cutFor(l.Logits)
		if cut[l] == len(t.cuts)-1 {
			behind = append(behind, l.Name)
			return true
		}
		return false
	})
	if len(behind) > 0 && (names != nil || len(heads) == 0) {
		return nil, fmt.Errorf("no image can leave %s early at %s: only the end of the network has all that the head reads; choose heads that read an earlier module",
			g.Name(), strings.Join(behind, ", "))
	}
	slices.SortStableFunc(heads, func(a, b *graph.Loss) int { return cut[a] - cut[b] })
	main := g.MainLoss()
	cut[main] = len(t.cuts) - 1
	return t.cascade(append(heads, main), cut)
}

// exitHeads returns the named heads, without the main one, in the order of the network's losses,
// which is the order of depth.
func exitHeads(g *graph.Graph, names []string) ([]*graph.Loss, error) {
	losses := g.Losses()
	if len(losses) == 0 {
		return nil, fmt.Errorf("network %s has no classifier", g.Name())
	}
	if names == nil && len(losses) == 1 {
		return nil, fmt.Errorf("network %s has no heads to leave at: train it with some (--heads default), or evaluate it without early exits", g.Name())
	}
	var known []string
	for _, l := range losses {
		known = append(known, l.Name)
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, &graph.UnknownError{What: "head of " + g.Name(), Name: n, Nearest: graph.Nearest(n, known, 3)}
		}
	}
	var heads []*graph.Loss
	for _, l := range losses[1:] {
		if names == nil || slices.Contains(names, l.Name) {
			heads = append(heads, l)
		}
	}
	return heads, nil
}

// backbone is the part of the network that the main classifier needs, without dropout, in
// topological order.
type backbone struct {
	g     *graph.Graph
	at    map[*graph.Node]int
	nodes []*graph.Node
	cuts  []int // indices of the nodes through which all paths from the images to the logits lead; the last is the logits
}

func newBackbone(g *graph.Graph) *backbone {
	t := &backbone{g: g, at: map[*graph.Node]int{}}
	needed := map[*graph.Node]bool{}
	visit(g.MainLoss().Logits, nil, needed)
	for _, n := range g.Nodes() {
		if needed[n] {
			t.at[n] = len(t.nodes)
			t.nodes = append(t.nodes, n)
		}
	}
	// A node is on all paths if no edge leads past it.
	last := make([]int, len(t.nodes)) // index of each node's last reader
	for i, n := range t.nodes {
		for _, x := range inputs(n) {
			last[t.at[x]] = i
		}
	}
	reach := 0
	for i := range t.nodes {
		if i >= reach {
			t.cuts = append(t.cuts, i)
		}
		reach = max(reach, last[i])
	}
	return t
}

// cutFor returns the index in t.cuts of the first cut at or after all nodes of the trunk that a
// head needs.
func (t *backbone) cutFor(logits *graph.Node) int {
	needed := map[*graph.Node]bool{}
	visit(logits, nil, needed)
	deepest := 0
	for n := range needed {
		deepest = max(deepest, t.at[n])
	}
	i, _ := slices.BinarySearch(t.cuts, deepest)
	return i
}

// cascade makes the stages of exits, which must be in order of depth.
func (t *backbone) cascade(exits []*graph.Loss, cut map[*graph.Loss]int) (*Cascade, error) {
	c := &Cascade{}
	var total int64
	var from *graph.Node // first node of the stage
	for len(exits) > 0 {
		n := 1
		for n < len(exits) && cut[exits[n]] == cut[exits[0]] {
			n++
		}
		s, to := Stage{}, t.nodes[t.cuts[cut[exits[0]]]]
		if from != nil {
			s.From = from.Name()
		}
		needed := map[*graph.Node]bool{}
		visit(to, from, needed)
		if n < len(exits) {
			s.To = to.Name()
		}
		for _, l := range exits[:n] {
			s.Exits = append(s.Exits, l.Name)
			visit(l.Logits, from, needed)
			if in := t.g.InputNode(); from != nil && from != in && needed[in] {
				return nil, fmt.Errorf("head %s cannot be an exit behind %s: it reads nodes before that one, too", l.Name, from.Name())
			}
		}
		for x := range needed {
			if x != from {
				s.MACs += x.MACs()
			}
		}
		total += s.MACs
		for _, l := range exits[:n] {
			c.Exits = append(c.Exits, Exit{l.Name, l.At, l.Logits.Name(), len(c.Stages), total})
		}
		c.Stages = append(c.Stages, s)
		from, exits = to, exits[n:]
	}
	for _, n := range t.nodes {
		c.Whole += n.MACs()
	}
	return c, nil
}

// visit adds a node and everything that it needs, back to the node from.
func visit(n, from *graph.Node, seen map[*graph.Node]bool) {
	n = past(n)
	if seen[n] {
		return
	}
	seen[n] = true
	if n != from {
		for _, x := range n.Inputs() {
			visit(x, from, seen)
		}
	}
}

// inputs returns the nodes that a node reads in an evaluation.
func inputs(n *graph.Node) []*graph.Node {
	var out []*graph.Node
	for _, x := range n.Inputs() {
		out = append(out, past(x))
	}
	return out
}

// past returns the node itself, or the input of a chain of dropouts, which are not part of an
// evaluation.
func past(n *graph.Node) *graph.Node {
	for {
		if _, ok := n.Op().(graph.Dropout); !ok {
			return n
		}
		n = n.Inputs()[0]
	}
}

// Names returns the exits' names; the main classifier's is the last.
func (c *Cascade) Names() []string {
	var names []string
	for _, e := range c.Exits {
		names = append(names, e.Name)
	}
	return names
}
