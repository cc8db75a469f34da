package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/emicklei/dot"
	"github.com/goccy/go-graphviz"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/internal/atomicfile"
)

// headColours are the fills of heads, in their order, over and over.
var headColours = []string{"#f4b183", "#9dc3e6", "#c5a5e3", "#ffd966"}

// kindColours are the fills of a trunk's nodes.
var kindColours = map[string]string{
	"conv": "#d9ead3", "linear": "#d9ead3", "maxpool": "#eeeeee", "avgpool": "#eeeeee", "concat": "#fff2cc", "input": "#ffffff",
}

// dotText draws a network: a box for each node, a frame for each module, and heads in colours of their own with the weight of
// their loss. What follows a convolution alone (bias, batch normalisation, ReLU) is drawn in the convolution's box.
func dotText(m *inception.Model) string {
	g := dot.NewGraph(dot.Directed)
	g.Attr("rankdir", "TB")
	g.Attr("fontname", "Helvetica")
	g.NodeInitializer(func(n dot.Node) {
		n.Attr("shape", "box").Attr("style", "filled,rounded").Attr("fontname", "Helvetica").Attr("fontsize", "10").Attr("margin", "0.25,0.06")
	})
	head := map[*graph.Node]int{}
	for i, h := range m.Heads {
		if own, err := auxhead.Own(m.Graph, h.Name); err == nil {
			for _, n := range own {
				head[n] = i + 1
			}
		}
	}
	chains := newChains(m.Graph)
	boxes := map[*graph.Node]dot.Node{}
	for _, n := range m.Graph.Nodes() {
		if chains.first(n) != n {
			continue
		}
		where := g
		if module, _, nested := strings.Cut(n.Name(), "/"); nested {
			where = g.Subgraph(module, dot.ClusterOption{})
			where.Attr("style", "rounded")
			where.Attr("color", "#999999")
			where.Attr("fontname", "Helvetica")
			where.Attr("labeljust", "l")
		}
		box := where.Node(n.Name()).Label(chains.label(n))
		fill := kindColours[n.Op().Kind()]
		if i := head[n]; i > 0 {
			fill = headColours[(i-1)%len(headColours)]
		}
		if fill == "" {
			fill = "#f8f8f8"
		}
		box.Attr("fillcolor", fill)
		boxes[n] = box
		for _, x := range n.Inputs() {
			g.Edge(boxes[chains.first(x)], box)
		}
	}
	for i, l := range m.Graph.Losses() {
		fill := "#e06666"
		if i > 0 {
			fill = headColours[(i-1)%len(headColours)]
		}
		box := g.Node("loss of " + l.Name).Label(fmt.Sprintf("loss %s\nweight %v", l.Name, l.Weight))
		box.Attr("shape", "ellipse").Attr("style", "filled").Attr("fillcolor", fill)
		g.Edge(boxes[chains.first(l.Logits)], box)
	}
	return g.String()
}

// chains joins each convolution with what follows it alone.
type chains struct {
	start map[*graph.Node]*graph.Node
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

// first is the node in whose box a node is drawn.
func (c chains) first(n *graph.Node) *graph.Node { return c.start[n] }

func (c chains) label(n *graph.Node) string {
	var kinds []string
	for _, x := range c.links[n] {
		kinds = append(kinds, x.Op().Kind())
	}
	what := strings.Join(kinds, " + ")
	if o, ok := n.Op().(graph.Conv); ok {
		what = fmt.Sprintf("%d×%d %s", o.H, o.W, what)
		if o.StrideH > 1 || o.StrideW > 1 {
			what += fmt.Sprintf(" /%d", o.StrideH)
		}
	}
	name := n.Name() // without the module, which the frame names, and without what the operation says
	if _, inner, nested := strings.Cut(name, "/"); nested {
		name = inner
	}
	name = strings.TrimSuffix(name, "/conv")
	if name == n.Op().Kind() {
		return fmt.Sprintf("%s\n%s", what, n.Shape())
	}
	return fmt.Sprintf("%s\n%s\n%s", name, what, n.Shape())
}

// writeDrawing lays a drawing out and writes it as SVG or PNG.
func writeDrawing(ctx context.Context, path, format, text string) error {
	layout := format
	if format == "png" {
		layout = "json"
	}
	b, err := render(ctx, layout, text)
	if err == nil && format == "png" {
		b, err = drawPNG(b)
	}
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, b)
}

// render lays a drawing out with Graphviz, which is part of the program as WebAssembly.
func render(ctx context.Context, format, text string) ([]byte, error) {
	v, err := graphviz.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("drawing: %w", err)
	}
	defer v.Close()
	g, err := graphviz.ParseBytes([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("drawing: %w", err)
	}
	defer g.Close()
	var b bytes.Buffer
	if err := v.Render(ctx, g, graphviz.Format(format), &b); err != nil {
		return nil, fmt.Errorf("drawing: %w", err)
	}
	return b.Bytes(), nil
}
