package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/emicklei/dot"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/internal/atomicfile"
)

// flowColours are the colours of the heads' gradients, the main head's first.
var flowColours = []string{"#c00000", "#e07b00", "#1f6fb5", "#7b3fb0", "#2e8b57", "#8c564b", "#d6459a", "#6b6b6b"}

func flowColour(head int) string { return flowColours[head%len(flowColours)] }

// flowGraph is a network as gradient flows through it: its modules, and its heads.
type flowGraph struct {
	places []string            // modules, in order
	shape  map[string]string   // of a module's output
	above  map[string][]string // of each module: the modules and heads that read it
	heads  []string
}

// newFlowGraph joins the nodes of a network's modules. A head on a tower hangs from the tower's module.
func newFlowGraph(m *inception.Model) *flowGraph {
	f := &flowGraph{shape: map[string]string{}, above: map[string][]string{}}
	at := map[*graph.Node]string{}
	for _, e := range m.Graph.EndPoints() {
		module, _, _ := strings.Cut(e.Name, "/")
		at[e.Node] = module
		if module == e.Name {
			f.places = append(f.places, module)
			f.shape[module] = e.Node.Shape().String()
		}
	}
	// below walks from a reader down to the nearest places.
	connect := func(reader string, from []*graph.Node) {
		seen := map[*graph.Node]bool{}
		var walk func(n *graph.Node)
		walk = func(n *graph.Node) {
			if seen[n] {
				return
			}
			seen[n] = true
			if place, ok := at[n]; ok && place != reader && f.shape[place] != "" {
				for _, r := range f.above[place] {
					if r == reader {
						return
					}
				}
				f.above[place] = append(f.above[place], reader)
				return
			}
			for _, x := range n.Inputs() {
				walk(x)
			}
		}
		for _, n := range from {
			walk(n)
		}
	}
	for _, e := range m.Graph.EndPoints() {
		if f.shape[e.Name] != "" {
			connect(e.Name, e.Node.Inputs())
		}
	}
	for _, l := range m.Graph.Losses() {
		f.heads = append(f.heads, l.Name)
		connect(headBox(l.Name), []*graph.Node{l.Logits})
	}
	return f
}

// headBox is the name of a head's box: a module may bear the head's name.
func headBox(name string) string { return "head " + name }

// dot draws one of several measurements as Graphviz text. An edge is as thick as the gradient that a head sends down along it: half as
// thick for a hundredth of the largest in all measurements.
func (f *flowGraph) dot(flows []*auxhead.Flow, at int) string {
	g := dot.NewGraph(dot.Directed)
	g.Attr("rankdir", "BT")
	g.Attr("fontname", "Helvetica")
	g.NodeInitializer(func(n dot.Node) {
		n.Attr("shape", "box").Attr("style", "filled,rounded").Attr("fillcolor", "#f4f4f4").Attr("fontname", "Helvetica").Attr("fontsize", "11")
	})
	flow := flows[at]
	gradient := map[string][]float64{}
	for _, p := range flow.Places {
		gradient[p.Name] = p.Gradient
	}
	boxes := map[string]dot.Node{}
	for _, p := range f.places {
		boxes[p] = g.Node(p).Label(p + "\n" + f.shape[p])
	}
	for i, h := range f.heads {
		label := h
		if i < len(flow.Weights) {
			label = fmt.Sprintf("%s\nloss %.3f, weight %.3g", h, flow.Losses[i], flow.Weights[i])
		}
		boxes[headBox(h)] = g.Node(headBox(h)).Label(label).Attr("shape", "ellipse").Attr("fillcolor", "#ffffff").Attr("color", flowColour(i)).Attr("penwidth", "2")
	}
	scale := newFlowScale(flows)
	for _, p := range f.places {
		for _, reader := range f.above[p] {
			for h := range f.heads {
				if !f.carries(reader, h, gradient) || h >= len(gradient[p]) || gradient[p][h] == 0 {
					continue
				}
				e := g.Edge(boxes[p], boxes[reader])
				e.Attr("id", edgeID(p, reader, h)).Attr("dir", "back").Attr("arrowsize", "0.6").Attr("color", flowColour(h))
				e.Attr("penwidth", fmt.Sprintf("%.2f", scale.width(gradient[p][h])))
				e.Attr("tooltip", fmt.Sprintf("gradient of %s at %s: %.3g", f.heads[h], p, gradient[p][h]))
			}
		}
	}
	return g.String()
}

// carries says whether a head's gradient comes down from a reader: its own box, or a module that it reaches.
func (f *flowGraph) carries(reader string, head int, gradient map[string][]float64) bool {
	if reader == headBox(f.heads[head]) {
		return true
	}
	above := gradient[reader]
	return head < len(above) && above[head] > 0
}

func edgeID(place, reader string, head int) string {
	return strings.NewReplacer("/", "_", " ", "_").Replace(fmt.Sprintf("edge-%s-%s-%d", place, reader, head))
}

// flowScale turns gradients into widths of lines.
type flowScale struct{ largest float64 }

const (
	widest  = 9.0
	decades = 4.0 // from the widest line to a third of a point
)

func newFlowScale(flows []*auxhead.Flow) flowScale {
	var s flowScale
	for _, f := range flows {
		for _, p := range f.Places {
			for _, g := range p.Gradient {
				if !math.IsInf(g, 0) && !math.IsNaN(g) {
					s.largest = max(s.largest, g)
				}
			}
		}
	}
	return s
}

func (s flowScale) width(g float64) float64 {
	if !(g > 0) || s.largest == 0 {
		return 0.3
	}
	return max(0.3, widest*(1+math.Log10(g/s.largest)/decades))
}

//go:embed flow.html
var flowPage string

var flowTemplate = template.Must(template.New("flow").Parse(flowPage))

// writeFlowReport writes the report: one file, which needs nothing else.
func writeFlowReport(ctx context.Context, path, run string, network *flowGraph, flows []*auxhead.Flow) error {
	drawing, err := render(ctx, "svg", network.dot(flows, len(flows)-1))
	if err != nil {
		return err
	}
	if i := bytes.Index(drawing, []byte("<svg")); i > 0 {
		drawing = drawing[i:] // without the XML declaration
	}
	type edge struct {
		ID    string
		Place string
		Head  int
	}
	var edges []edge
	for _, p := range network.places {
		for _, reader := range network.above[p] {
			for h := range network.heads {
				edges = append(edges, edge{edgeID(p, reader, h), p, h})
			}
		}
	}
	data, err := json.Marshal(map[string]any{"flows": flows, "edges": edges, "colours": flowColours, "modules": network.places,
		"largest": newFlowScale(flows).largest, "widest": widest, "decades": decades})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	err = flowTemplate.Execute(&b, map[string]any{"Run": run, "Drawing": template.HTML(drawing), "Data": template.JS(data), "Last": len(flows) - 1})
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, b.Bytes())
}
