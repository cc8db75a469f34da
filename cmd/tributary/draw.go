package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/draw"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/internal/atomicfile"
)

// headColours are the fills of heads, in their order, over and over.
var headColours = []string{"#f4b183", "#9dc3e6", "#c5a5e3", "#ffd966"}

// kindColours are the fills of a trunk's nodes.
var kindColours = map[string]string{
	"conv": "#d9ead3", "linear": "#d9ead3", "maxpool": "#e3e3e3", "avgpool": "#e3e3e3", "adaptive_avgpool": "#e3e3e3", "concat": "#fff2cc",
}

// drawNetwork describes a drawing of a network: a box for each node, a frame for each module, a lane for each tower, and beside what
// it reads a box for each head, with the weight of its loss. What follows a convolution alone (bias, batch normalisation, ReLU) is in
// the convolution's box.
func drawNetwork(m *inception.Model) *draw.Network {
	d := &draw.Network{Title: fmt.Sprintf("%s, %s, %d classes", m.Network.Name, m.Graph.InputNode().Shape(), m.Config.Classes)}
	heads := map[*graph.Node]bool{}
	for _, h := range m.Heads {
		if own, err := auxhead.Own(m.Graph, h.Name); err == nil {
			for _, n := range own {
				heads[n] = true
			}
		}
	}
	c := newChains(m.Graph)
	var trunk []*graph.Node
	for _, n := range m.Graph.Nodes() {
		if c.start[n] == n && !heads[n] {
			trunk = append(trunk, n)
		}
	}
	frames := newFrames(d, trunk)
	for _, n := range trunk {
		in := frames[n]
		d.Nodes = append(d.Nodes, draw.Node{Name: n.Name(), In: in, Heading: nameWithin(n, in), Lines: []string{c.what(n), n.Shape().String()}, Note: c.names(n), Fill: kindColours[n.Op().Kind()]})
		for _, x := range n.Inputs() {
			d.Edges = append(d.Edges, draw.Edge{From: c.start[x].Name(), To: n.Name(), Width: 1.3})
		}
	}
	for i, h := range m.Heads {
		// A head's name has no node, and so no frame, beside it (auxhead.Attach).
		at := c.start[h.Node]
		box := draw.Node{Name: h.Name, In: frames[at], Beside: at.Name(), Fill: headColours[i%len(headColours)],
			Heading: fmt.Sprintf("%s: %s, weight %v", h.Name, h.Kind, h.Weight)}
		own, err := auxhead.Own(m.Graph, h.Name)
		if err != nil {
			continue // a head of the model is in its graph
		}
		for _, n := range own {
			if c.start[n] == n {
				box.Lines = append(box.Lines, c.what(n)+" → "+n.Shape().String())
			}
		}
		d.Nodes = append(d.Nodes, box)
		d.Edges = append(d.Edges, draw.Edge{From: at.Name(), To: h.Name, Width: 1.3})
	}
	main := m.Graph.Losses()[0]
	d.Nodes = append(d.Nodes, draw.Node{Name: "loss " + main.Name, Heading: "loss " + main.Name, Lines: []string{fmt.Sprintf("weight %v", main.Weight)}, Fill: "#e88b8b", Pill: true})
	d.Edges = append(d.Edges, draw.Edge{From: c.start[main.Logits].Name(), To: "loss " + main.Name, Width: 1.3})
	return d
}

// newFrames adds a frame to a drawing for each module, and a lane for each of its towers, by the first two parts of the nodes' names. It
// says which frame each node is in: none where it is alone.
func newFrames(d *draw.Network, nodes []*graph.Node) map[*graph.Node]string {
	parts := func(n *graph.Node) []string { return strings.Split(n.Name(), "/") }
	count := map[string]int{}
	for _, n := range nodes {
		count[parts(n)[0]]++
	}
	frames := map[*graph.Node]string{}
	known := map[string]bool{}
	add := func(f draw.Frame) string {
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
		frames[n] = add(draw.Frame{Name: "frame " + p[0], Label: p[0]})
		if len(p) > 2 {
			frames[n] = add(draw.Frame{Name: "frame " + p[0] + "/" + p[1], In: frames[n], Label: p[1], Lane: true})
		}
	}
	return frames
}

// nameWithin is a node's name without what the frame around it says, and without what the operation says.
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

// chains joins each convolution with what follows it alone.
type chains struct {
	start map[*graph.Node]*graph.Node // the node in whose box a node is drawn
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

// what says what a node's box computes.
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

// names are the nodes of a box, a line each.
func (c chains) names(n *graph.Node) string {
	var names []string
	for _, x := range c.links[n] {
		names = append(names, x.Name())
	}
	return strings.Join(names, "\n")
}

// checkDrawing checks the file of a drawing.
func checkDrawing(flag, path string) error {
	if end := filepath.Ext(path); end != "" && !strings.EqualFold(end, ".svg") {
		return usageError{fmt.Errorf("--%s %s: drawings are SVG: name a file that ends in .svg", flag, quoted(path))}
	}
	return nil
}

// writeDrawing writes a drawing as SVG.
func writeDrawing(path string, d *draw.Network) error {
	text, err := d.SVG()
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, text)
}
