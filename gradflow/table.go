package gradflow

import (
	"fmt"
	"io"
	"strings"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/human"
)

// Print writes a measurement as tables.
func Print(out io.Writer, f *Flow, layers bool) {
	var heads []string
	for i, h := range f.Heads {
		heads = append(heads, fmt.Sprintf("%s %.3g", h, f.Weights[i]))
	}
	fmt.Fprintf(out, "after %s updates, on %d images; heads and weights: %s\n\n", human.Thousands(f.Step), f.Images, strings.Join(heads, ", "))
	row := func(name string, cells ...string) {
		fmt.Fprintf(out, "%-34s", name)
		for _, c := range cells {
			fmt.Fprintf(out, " %11s", c)
		}
		fmt.Fprintln(out)
	}
	from := func() (cells []string) {
		for _, h := range f.Heads {
			cells = append(cells, "from "+h)
		}
		return cells
	}
	row("gradient at", from()...)
	for _, p := range f.Places {
		if !layers && strings.Contains(p.Name, "/") && !attached(f, p) {
			continue
		}
		row(p.Name, norms(p.Gradient)...)
	}
	fmt.Fprintln(out)
	head := append([]string{"layers"}, from()...)
	for _, p := range Pairs(len(f.Heads)) {
		head = append(head, "cos "+f.Heads[p[0]][:1]+"·"+f.Heads[p[1]])
	}
	row("median over a module's layers of", append(head, "upd/weight")...)
	for _, g := range groupLayers(f, layers) {
		row(g.name, g.cells()...)
	}
	var dead, channels int
	for _, r := range f.ReLUs {
		dead, channels = dead+r.Dead, channels+r.Channels
	}
	fmt.Fprintf(out, "\ndead ReLU channels: %s of %s", human.Thousands(dead), human.Thousands(channels))
	for _, r := range f.ReLUs {
		if r.Dead > 0 && (layers || 4*r.Dead > r.Channels) {
			fmt.Fprintf(out, "\n  %-32s %d of %d", r.Name, r.Dead, r.Channels)
		}
	}
	fmt.Fprintln(out)
}

// attached reports whether a gradient enters at a tower rather than through its module, as from a
// head on the tower. Then the tower is listed with the modules.
func attached(f *Flow, p Place) bool {
	module, _, _ := strings.Cut(p.Name, "/")
	for _, m := range f.Places {
		if m.Name != module {
			continue
		}
		for i := range p.Gradient {
			if p.Gradient[i] > 0 && m.Gradient[i] == 0 {
				return true
			}
		}
	}
	return false
}

func norms(v []float64) []string {
	cells := make([]string, len(v))
	for i, x := range v {
		cells[i] = "·"
		if x > 0 {
			cells[i] = fmt.Sprintf("%.3g", x)
		}
	}
	return cells
}

// layerGroup is the layers of a module, or a single layer.
type layerGroup struct {
	name   string
	layers []Layer
}

func groupLayers(f *Flow, each bool) []layerGroup {
	var out []layerGroup
	for _, l := range f.Layers {
		name := strings.TrimSuffix(l.Name, "/"+string(graph.Weight))
		if !each {
			name, _, _ = strings.Cut(name, "/")
		}
		if len(out) == 0 || out[len(out)-1].name != name {
			out = append(out, layerGroup{name: name})
		}
		g := &out[len(out)-1]
		g.layers = append(g.layers, l)
	}
	return out
}

func (g layerGroup) cells() []string {
	of := func(value func(Layer) float64) float64 {
		var v []float64
		for _, l := range g.layers {
			v = append(v, value(l))
		}
		return Median(v)
	}
	cells := []string{fmt.Sprint(len(g.layers))}
	first := g.layers[0]
	for i := range first.Gradient {
		cells = append(cells, norms([]float64{of(func(l Layer) float64 { return l.Gradient[i] })})...)
	}
	for k, p := range Pairs(len(first.Gradient)) {
		c := "·"
		if first.Gradient[p[0]] > 0 && first.Gradient[p[1]] > 0 {
			c = fmt.Sprintf("%+.2f", of(func(l Layer) float64 { return l.Cosine[k] }))
		}
		cells = append(cells, c)
	}
	return append(cells, fmt.Sprintf("%.1e", of(Layer.Ratio)))
}
