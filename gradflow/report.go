package gradflow

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/draw"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/atomicfile"
	"github.com/tributary-ml/tributary/internal/human"
)

// colours are the colours of the heads' gradients; the first is the main head's.
var colours = []string{"#c00000", "#e07b00", "#1f6fb5", "#7b3fb0", "#2e8b57", "#8c564b", "#d6459a", "#6b6b6b"}

func colour(head int) string { return colours[head%len(colours)] }

// Network is a network for drawing its gradient flow: its modules, the towers that heads read, and
// its heads.
type Network struct {
	title  string
	places []place // modules and towers, by depth
	heads  []head
	edges  []edge
}

// place is an end point of the network.
type place struct {
	name, shape string
	module      string // for a tower: the module that contains it
	split       bool   // for a module: its towers are places, too
}

// head is a head at the place that it reads.
type head struct{ name, at string }

// edge is the way of a head's gradient down to a place, from the place or head above that reads it.
type edge struct {
	place, reader string
	head          int
}

// NewNetwork groups the nodes of a network into modules. A module is one place, unless a head reads
// one of its towers; then each tower is a place.
func NewNetwork(g *graph.Graph) *Network {
	f := &Network{title: g.Name()}
	ends := g.EndPoints()
	named := map[string]*graph.Node{}
	at := map[*graph.Node]string{} // the end point of each node
	for _, e := range ends {
		named[e.Name], at[e.Node] = e.Node, e.Name
	}
	// down finds the nearest wanted nodes below the nodes in from.
	down := func(from []*graph.Node, wanted func(string) bool) (found []string) {
		seen := map[*graph.Node]bool{}
		var walk func(n *graph.Node)
		walk = func(n *graph.Node) {
			if seen[n] {
				return
			}
			seen[n] = true
			if place, ok := at[n]; ok && wanted(place) {
				found = append(found, place)
				return
			}
			for _, x := range n.Inputs() {
				walk(x)
			}
		}
		for _, n := range from {
			walk(n)
		}
		return found
	}
	module := func(name string) string { before, _, _ := strings.Cut(name, "/"); return before }
	read := map[string][]string{} // for each head, the nearest end points below it
	split := map[string]bool{}
	for _, l := range g.Losses() {
		read[l.Name] = down([]*graph.Node{l.Logits}, func(string) bool { return true })
		for _, place := range read[l.Name] {
			split[module(place)] = split[module(place)] || place != module(place)
		}
	}
	shown := map[string]bool{}
	for _, e := range ends {
		in := module(e.Name)
		if in == e.Name {
			in = ""
		} else if !split[in] || named[in] == nil {
			continue
		}
		shown[e.Name] = true
		f.places = append(f.places, place{e.Name, e.Node.Shape().String(), in, split[e.Name]})
	}
	for i, l := range g.Losses() {
		h := head{name: l.Name}
		if below := down([]*graph.Node{l.Logits}, func(name string) bool { return shown[name] }); len(below) > 0 {
			h.at = below[0]
		}
		f.heads = append(f.heads, h)
		if h.at != "" {
			f.edges = append(f.edges, edge{h.at, headBox(h.name), i})
		}
	}
	join := func(reader string, from []*graph.Node, wanted func(string) bool) {
		for _, place := range down(from, wanted) {
			for i := range f.heads {
				f.edges = append(f.edges, edge{place, reader, i})
			}
		}
	}
	for _, e := range ends {
		switch in := module(e.Name); {
		case in != e.Name || !shown[e.Name]:
		case split[e.Name]:
			join(e.Name, e.Node.Inputs(), func(name string) bool { return shown[name] && module(name) == in })
			var towers []*graph.Node
			for _, t := range ends {
				if strings.HasPrefix(t.Name, in+"/") {
					towers = append(towers, t.Node.Inputs()...)
				}
			}
			join(frameName(in), towers, func(name string) bool { return shown[name] && module(name) != in })
		default:
			join(e.Name, e.Node.Inputs(), func(name string) bool { return shown[name] && module(name) == name })
		}
	}
	return f
}

// headBox returns the name of a head's box. It differs from the head's name, because a module may
// have that name.
func headBox(name string) string { return "head " + name }

// frameName returns the name of the frame around a module's towers.
func frameName(module string) string { return "frame " + module }

// Draw returns the description of a drawing of measurement at. An edge is as thick as the gradient
// that a head sends along it: half as thick for a hundredth of the largest gradient in all
// measurements. Each edge has the room that it needs in any of the measurements.
func (f *Network) Draw(flows []*Flow, at int) *draw.Network {
	flow := flows[at]
	d := &draw.Network{Title: fmt.Sprintf("%s: gradient after %s updates", f.title, human.Thousands(flow.Step)), Up: true}
	for _, p := range f.places {
		n := draw.Node{Name: p.name, Heading: p.name, Lines: []string{p.shape}, Fill: "#f4f4f4"}
		if p.split {
			n.In, n.Heading = frameName(p.name), "concat"
		}
		if p.module != "" {
			n.In, n.Heading = frameName(p.module), strings.TrimPrefix(p.name, p.module+"/")
			if !slices.ContainsFunc(d.Frames, func(x draw.Frame) bool { return x.Name == n.In }) {
				d.Frames = append(d.Frames, draw.Frame{Name: n.In, Label: p.module})
			}
		}
		d.Nodes = append(d.Nodes, n)
	}
	for i, h := range f.heads {
		n := draw.Node{Name: headBox(h.name), Heading: h.name, Stroke: colour(i), Pill: true}
		if i < len(flow.Weights) {
			n.Lines = append(n.Lines, fmt.Sprintf("loss %.3f, weight %.3g", flow.Losses[i], flow.Weights[i]))
		}
		if k := slices.IndexFunc(d.Nodes, func(n draw.Node) bool { return n.Name == h.at }); i > 0 && k >= 0 {
			n.In, n.Beside = d.Nodes[k].In, h.at
		}
		d.Nodes = append(d.Nodes, n)
	}
	scale := newScale(flows)
	gradient, most := f.gradients(flow), f.most(flows)
	for k, e := range f.edges {
		if most[e] == 0 {
			continue
		}
		g := gradient[e]
		d.Edges = append(d.Edges, draw.Edge{From: e.place, To: e.reader, ID: edgeID(k), Colour: colour(e.head), Back: true, Hidden: !(g > 0),
			Width: scale.width(g), Room: scale.width(most[e]), Note: fmt.Sprintf("gradient of %s at %s: %.3g", f.heads[e.head].name, e.place, g)})
	}
	return d
}

// gradients returns a measurement's gradient along each edge. A head's gradient at a place counts
// on an edge if it comes through the edge's reader.
func (f *Network) gradients(flow *Flow) map[edge]float64 {
	at := map[string][]float64{}
	for _, p := range flow.Places {
		at[p.Name] = p.Gradient
	}
	reaches := func(place string, head int) bool { return head < len(at[place]) && at[place][head] > 0 }
	out := map[edge]float64{}
	for _, e := range f.edges {
		comes := e.reader == headBox(f.heads[e.head].name) || reaches(e.reader, e.head)
		for _, p := range f.places { // from a frame: through any of its towers
			comes = comes || e.reader == frameName(p.module) && reaches(p.name, e.head)
		}
		if comes && reaches(e.place, e.head) {
			out[e] = at[e.place][e.head]
		}
	}
	return out
}

// most returns the largest gradient along each edge over all measurements, for the edges that have
// any.
func (f *Network) most(flows []*Flow) map[edge]float64 {
	out := map[edge]float64{}
	for _, flow := range flows {
		for e, g := range f.gradients(flow) {
			out[e] = max(out[e], g)
		}
	}
	return out
}

func edgeID(k int) string { return fmt.Sprintf("edge-%d", k) }

// scale converts gradients to line widths.
type scale struct{ largest float64 }

const (
	widest  = 9.0
	decades = 4.0 // from the widest line to a third of a point
)

func newScale(flows []*Flow) scale {
	var s scale
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

func (s scale) width(g float64) float64 {
	if !(g > 0) || s.largest == 0 {
		return 0.3
	}
	return max(0.3, widest*(1+math.Log10(g/s.largest)/decades))
}

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("flow").Parse(page))

// reportEdge is an edge in the report: its line, and the gradient along it in each measurement.
type reportEdge struct {
	ID       string
	Note     string
	Gradient []float64
}

// WriteReport writes the report to a single file that needs no others.
func WriteReport(path, run string, network *Network, flows []*Flow) error {
	if len(flows) == 0 {
		return errors.New("a report on gradient flow needs a measurement")
	}
	d := network.Draw(flows, len(flows)-1)
	d.Title = "" // what changes with the measurement stands beside the drawing
	for k := range d.Nodes {
		if d.Nodes[k].Pill {
			d.Nodes[k].Lines = nil
		}
	}
	drawing, err := d.SVG()
	if err != nil {
		return err
	}
	var edges []reportEdge
	most := network.most(flows)
	for k, e := range network.edges {
		if most[e] == 0 {
			continue
		}
		x := reportEdge{ID: edgeID(k), Note: fmt.Sprintf("gradient of %s at %s: ", network.heads[e.head].name, e.place)}
		for _, f := range flows {
			x.Gradient = append(x.Gradient, network.gradients(f)[e])
		}
		edges = append(edges, x)
	}
	var modules []string
	for _, p := range network.places {
		modules = append(modules, p.name)
	}
	data := map[string]any{"flows": flows, "edges": edges, "colours": colours, "modules": modules,
		"largest": newScale(flows).largest, "widest": widest, "decades": decades, "arrow": draw.ThinLine}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, map[string]any{"Run": run, "Drawing": template.HTML(drawing), "Data": data, "Last": len(flows) - 1}); err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, b.Bytes())
}
