package draw

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// headColours are the fills of heads, in their order; they repeat.
var headColours = []string{"#f4b183", "#9dc3e6", "#c5a5e3", "#ffd966"}

// kindColours are the fills of a trunk's nodes.
var kindColours = map[string]string{
	"conv": "#d9ead3", "linear": "#d9ead3", "maxpool": "#e3e3e3", "avgpool": "#e3e3e3", "adaptive_avgpool": "#e3e3e3", "concat": "#fff2cc",
}

// Graph returns the description of a network's drawing. It has a box for each node, a frame for
// each module and a lane for each tower. Each head has a box beside the node that it reads. Nodes
// that alone follow a convolution (bias, batch normalisation, ReLU) are in the convolution's box.
// labels has the headings of heads' boxes by the heads' names; a head without a label has its name
// and the weight of its loss.
func Graph(g *graph.Graph, title string, labels map[string]string) *Network {
	d := &Network{Title: title}
	main := g.MainLoss()
	heads := map[string][]*graph.Node{} // the nodes that only the head needs
	isHead := map[*graph.Node]bool{}
	for _, l := range g.AuxLosses() {
		own, err := g.Own(l.Name)
		if err != nil {
			continue // cannot happen: the loss is in the graph
		}
		heads[l.Name] = own
		for _, n := range own {
			isHead[n] = true
		}
	}
	c := newChains(g)
	var trunk []*graph.Node
	for _, n := range g.Nodes() {
		if c.start[n] == n && !isHead[n] {
			trunk = append(trunk, n)
		}
	}
	frames := newFrames(d, trunk)
	for _, n := range trunk {
		in := frames[n]
		d.Nodes = append(d.Nodes, Node{Name: n.Name(), In: in, Heading: nameWithin(n, in), Lines: []string{c.what(n), n.Shape().String()}, Note: c.names(n), Fill: kindColours[n.Op().Kind()]})
		for _, x := range n.Inputs() {
			d.Edges = append(d.Edges, Edge{From: c.start[x].Name(), To: n.Name(), Width: 1.3})
		}
	}
	for i, l := range g.AuxLosses() {
		// No node, and so no frame, has a head's name (auxhead.Attach).
		at := c.start[readBy(heads[l.Name], l)]
		box := Node{Name: l.Name, In: frames[at], Beside: at.Name(), Fill: headColours[i%len(headColours)], Heading: labels[l.Name]}
		if box.Heading == "" {
			box.Heading = fmt.Sprintf("%s: weight %v", l.Name, l.Weight)
		}
		for _, n := range heads[l.Name] {
			if c.start[n] == n {
				box.Lines = append(box.Lines, c.what(n)+" → "+n.Shape().String())
			}
		}
		d.Nodes = append(d.Nodes, box)
		d.Edges = append(d.Edges, Edge{From: at.Name(), To: l.Name, Width: 1.3})
	}
	d.Nodes = append(d.Nodes, Node{Name: "loss " + main.Name, Heading: "loss " + main.Name, Lines: []string{fmt.Sprintf("weight %v", main.Weight)}, Fill: "#e88b8b", Pill: true})
	d.Edges = append(d.Edges, Edge{From: c.start[main.Logits].Name(), To: "loss " + main.Name, Width: 1.3})
	return d
}

// readBy returns the first node of the trunk that a head reads. A head without nodes of its own
// takes its logits from the trunk.
func readBy(own []*graph.Node, head *graph.Loss) *graph.Node {
	for _, n := range own {
		for _, x := range n.Inputs() {
			if !slices.Contains(own, x) {
				return x
			}
		}
	}
	return head.Logits
}

// newFrames adds to a drawing a frame for each module, and a lane for each of the module's towers,
// by the first two parts of the nodes' names. It returns the frame of each node. A node that is
// alone has none.
func newFrames(d *Network, nodes []*graph.Node) map[*graph.Node]string {
	parts := func(n *graph.Node) []string { return strings.Split(n.Name(), "/") }
	count := map[string]int{}
	for _, n := range nodes {
		count[parts(n)[0]]++
	}
	frames := map[*graph.Node]string{}
	known := map[string]bool{}
	add := func(f Frame) string {
		if !known[f.Name] {
			known[f.Name] = true
			d.Frames = append(d.Frames, f)
		}
		return f.Name
	}
	for _, n := range nodes {
		p := parts(n)
		if count[p[0]] == 1 {
			continue
		}
		frames[n] = add(Frame{Name: "frame " + p[0], Label: p[0]})
		if len(p) > 2 {
			frames[n] = add(Frame{Name: "frame " + p[0] + "/" + p[1], In: frames[n], Label: p[1], Lane: true})
		}
	}
	return frames
}

// nameWithin returns a node's name without the parts that the frame around it or the operation
// shows.
func nameWithin(n *graph.Node, frame string) string {
	name := n.Name()
	if frame != "" {
		name = strings.TrimPrefix(name, strings.TrimPrefix(frame, "frame ")+"/")
	}
	base := []string{"conv", "conv2d", "pool", "linear", n.Op().Kind()}
	if slices.Contains(base, name) {
		return ""
	}
	for _, b := range base {
		name = strings.TrimSuffix(name, "/"+b)
	}
	return name
}

// chains groups each convolution with the nodes that alone follow it.
type chains struct {
	start map[*graph.Node]*graph.Node // for each node the node in whose box it is drawn
	links map[*graph.Node][]*graph.Node
}

func newChains(g *graph.Graph) chains {
	readers := map[*graph.Node]int{}
	for _, n := range g.Nodes() {
		for _, x := range n.Inputs() {
			readers[x]++
		}
	}
	c := chains{map[*graph.Node]*graph.Node{}, map[*graph.Node][]*graph.Node{}}
	for _, n := range g.Nodes() {
		c.start[n] = n
		switch n.Op().(type) {
		case graph.AddBias, graph.BatchNorm, graph.ReLU:
			if x := n.Inputs()[0]; readers[x] == 1 {
				c.start[n] = c.start[x]
			}
		}
		c.links[c.start[n]] = append(c.links[c.start[n]], n)
	}
	return c
}

// what describes what a node's box computes.
func (c chains) what(n *graph.Node) string {
	var kinds []string
	for _, x := range c.links[n] {
		kinds = append(kinds, x.Op().Kind())
	}
	what := strings.Join(kinds, " + ")
	switch o := n.Op().(type) {
	case graph.Conv:
		return windowed(o.Window, what)
	case graph.MaxPool:
		return windowed(o.Window, what)
	case graph.AvgPool:
		return windowed(o.Window, what)
	case graph.AdaptiveAvgPool:
		if o.H == 1 && o.W == 1 {
			return "global avgpool"
		}
	}
	return what
}

func windowed(w graph.Window, what string) string {
	what = fmt.Sprintf("%d×%d %s", w.H, w.W, what)
	if w.StrideH > 1 || w.StrideW > 1 {
		what += fmt.Sprintf(" /%d", w.StrideH)
	}
	return what
}

// names returns the names of the nodes in a box, one a line.
func (c chains) names(n *graph.Node) string {
	var names []string
	for _, x := range c.links[n] {
		names = append(names, x.Name())
	}
	return strings.Join(names, "\n")
}
