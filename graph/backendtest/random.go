package backendtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// generator draws a network, statement by statement: a directed acyclic graph of all operations.
// Candidates for fusion, for slices of concatenations and for shared gradient memory are frequent.
// Heads are anywhere: on the trunk, on towers, on inputs of concatenations, several on one node,
// one after another. The trunk continues after them.
type generator struct {
	*rand.Rand
	listing
	shapes map[string]graph.Shape
	nodes  []string // in order
	headed string   // the last node that got a head
}

// random draws the listing of a seed.
func random(seed uint64) listing {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 9)), shapes: map[string]graph.Shape{}}
	image := graph.Shape{H: 2 + g.IntN(5), W: 2 + g.IntN(5), C: pick(g.Rand, 1, 2, 3, 4)}
	batch := 2 + g.IntN(2)
	data := statement{kind: "data"}.set("seed", seed).set("batch", batch).set("image", image)
	if g.IntN(4) == 0 {
		data = data.set("ignored", 1)
	}
	g.listing = listing{data}
	g.nodes, g.shapes["image"] = []string{"image"}, image

	classes := 2 + g.IntN(3)
	heads := 1 + g.IntN(4)
	var logits []string
	for range 2 + g.IntN(4) {
		for range 1 + g.IntN(4) {
			g.unit()
		}
		if len(logits) < heads && g.IntN(2) == 0 {
			logits = append(logits, g.logits(classes))
		}
	}
	for len(logits) < heads {
		logits = append(logits, g.logits(classes))
	}
	if g.IntN(3) > 0 {
		logits = append(logits, g.join(classes))
	}
	slices.Sort(logits)
	logits = slices.Compact(logits)
	g.Shuffle(len(logits), func(i, j int) { logits[i], logits[j] = logits[j], logits[i] })
	for i, x := range logits {
		s := statement{kind: "head", words: []string{fmt.Sprintf("head%d", i), x}}.set("weight", pick(g.Rand, 1.0, 0.3, 0.7, 1, 0.5, 0.2, 1, 0))
		if g.IntN(4) == 0 {
			s = s.set("smoothing", 0.1)
		}
		if i > 0 && g.IntN(4) == 0 {
			s = s.set("distill", 0.4)
		}
		g.listing = append(g.listing, s)
	}
	g.freeze()
	for range g.IntN(3) {
		g.listing = append(g.listing, statement{kind: "keep", words: []string{pick(g.Rand, g.nodes...)}})
	}
	for range g.IntN(4) {
		n := pick(g.Rand, g.nodes...)
		if g.IntN(2) == 0 {
			n = "d(" + n + ")"
		}
		g.listing = append(g.listing, statement{kind: "probe", words: []string{n}})
	}
	return g.listing
}

// node adds an operation if it fits, and returns its name. Otherwise it returns the name of the
// first input.
func (g *generator) node(s statement, in ...string) string {
	trial := graph.New("trial")
	var xs []*graph.Node
	for i, x := range in {
		n := g.shapes[x]
		if i == 0 {
			xs = append(xs, trial.Input("image", n))
			continue
		}
		xs = append(xs, trial.Apply(fmt.Sprint("in", i), graph.Conv{Filters: n.C, Window: graph.Window{H: 1, W: 1}}, xs[0]))
	}
	out := trial.Apply("op", operationOf(s.kind).make(s), xs...)
	if trial.Err() != nil || out.Shape().C > 40 || out.Shape().Pixels() > 36 {
		return in[0]
	}
	s.name, s.words = fmt.Sprintf("%s%d", strings.TrimPrefix(s.kind, "adaptive_"), len(g.nodes)), in
	g.listing = append(g.listing, s)
	g.nodes = append(g.nodes, s.name)
	g.shapes[s.name] = out.Shape()
	return s.name
}

// any draws a node, mostly one of the last three.
func (g *generator) any() string {
	if g.IntN(3) > 0 {
		return g.nodes[len(g.nodes)-1-g.IntN(min(3, len(g.nodes)))]
	}
	return pick(g.Rand, g.nodes...)
}

// like draws n nodes, x among them, that all fit x by same. A node may occur twice.
func (g *generator) like(x string, n int, same func(a, b graph.Shape) bool) []string {
	var fit []string
	for _, y := range g.nodes {
		if same(g.shapes[x], g.shapes[y]) {
			fit = append(fit, y)
		}
	}
	out := []string{x}
	for len(out) < n {
		out = append(out, pick(g.Rand, fit...))
	}
	g.Shuffle(n, func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func sameSize(a, b graph.Shape) bool  { return a.H == b.H && a.W == b.W }
func sameShape(a, b graph.Shape) bool { return a == b }

func (g *generator) conv(x string, filters, h, w int, same bool) string {
	s := statement{kind: "conv"}.set("filters", filters)
	if h*w > 1 {
		s = s.set("window", fmt.Sprintf("%dx%d", h, w))
	}
	switch {
	case same:
		if h*w > 1 {
			s = s.set("pads", "same")
		}
	default:
		s = g.strided(s, h, w)
	}
	return g.node(s, x)
}

// strided draws stride and padding.
func (g *generator) strided(s statement, h, w int) statement {
	if g.IntN(3) == 0 {
		s = s.set("stride", fmt.Sprintf("%dx%d", 1+g.IntN(2), 1+g.IntN(2)))
	}
	switch g.IntN(3) {
	case 0:
		s = s.set("pads", "same")
	case 1:
		s = s.set("pads", fmt.Sprintf("%d,%d,%d,%d", g.IntN(h/2+1), g.IntN(h/2+1), g.IntN(w/2+1), g.IntN(w/2+1)))
	}
	return s
}

// layer adds a convolution and the operations that follow one in real networks.
func (g *generator) layer(x string, filters, h, w int, same bool) string {
	x = g.conv(x, filters, h, w, same)
	switch g.IntN(4) {
	case 0:
		return g.node(statement{kind: "relu"}, g.node(statement{kind: "bias"}, x))
	case 1:
		return g.node(statement{kind: "relu"}, g.batchnorm(x))
	case 2:
		return g.node(statement{kind: "bias"}, x)
	}
	return x
}

func (g *generator) filters() int { return pick(g.Rand, 1, 2, 3, 4, 5, 8, 3, 4, 16) }

// size draws the size of a window.
func (g *generator) size() (h, w int) {
	k := pick(g.Rand, [2]int{1, 1}, [2]int{1, 1}, [2]int{3, 3}, [2]int{2, 2}, [2]int{1, 3}, [2]int{3, 1})
	return k[0], k[1]
}

// alone are the draws of single operations on x. A window, if the operation has one, has h×w taps.
// All groups are drawn equally often.
var alone = [][]func(g *generator, x string, h, w int){
	{drawReLU}, {drawBatchNorm}, {drawScale}, {drawDropout}, {drawMaxPool, drawAvgPool}, {drawBias, drawLRN},
	{drawLinear, drawAdaptiveAvgPool, drawAdaptiveAvgPool},
}

// composites is the number of draws of a unit that make several operations.
const composites = 13

// unit adds an operation or a group of operations.
func (g *generator) unit() {
	x := g.any()
	h, w := g.size()
	in := 1 + g.IntN(4)
	switch n := g.IntN(composites + len(alone)); n {
	case 0, 1, 2:
		g.layer(x, g.filters(), h, w, g.IntN(3) > 0)
	case 3: // siblings
		for range 2 + g.IntN(2) {
			g.layer(x, g.filters(), 1, 1, true)
		}
	case 4, 5: // a module
		var towers []string
		for range 2 + g.IntN(2) {
			towers = append(towers, g.layer(x, g.filters(), h, h, true))
			if g.IntN(2) == 0 {
				h = pick(g.Rand, 1, 3)
			}
		}
		g.node(statement{kind: "concat"}, towers...)
	case 6, 7: // a residual block
		y := g.layer(x, g.shapes[x].C, h, w, true)
		if g.IntN(2) == 0 {
			y = g.node(statement{kind: "scale"}.set("factor", 0.37), y)
		}
		y = g.node(statement{kind: "add"}, g.ordered(x, y)...)
		if g.IntN(2) == 0 {
			g.node(statement{kind: "relu"}, y)
		}
	case 8, 9, 10:
		g.node(statement{kind: "concat"}, g.like(x, in, sameSize)...)
	case 11, 12:
		g.node(statement{kind: "add"}, g.like(x, max(in, 2), sameShape)...)
	default:
		group := alone[n-composites]
		draw := group[0]
		if len(group) > 1 {
			draw = pick(g.Rand, group...)
		}
		draw(g, x, h, w)
	}
}

func (g *generator) ordered(x, y string) []string {
	if g.IntN(2) == 0 {
		return []string{x, y}
	}
	return []string{y, x}
}

// logits adds the logits of a head on any node.
func (g *generator) logits(classes int) string {
	want := graph.Shape{H: 1, W: 1, C: classes}
	x := g.any()
	if g.headed != "" && g.IntN(4) == 0 {
		x = g.headed
	}
	g.headed = x
	if g.IntN(4) > 0 || g.shapes[x] != want { // otherwise x already has the shape of logits
		switch g.IntN(4) {
		case 0:
			x = g.node(statement{kind: "linear"}.set("features", classes), x)
		case 1:
			x = g.conv(x, classes, g.shapes[x].H, g.shapes[x].W, false)
			x = g.node(statement{kind: "adaptive_avgpool"}.set("bins", "1x1"), x)
		default:
			x = g.node(statement{kind: "adaptive_avgpool"}.set("bins", "1x1"), x)
			x = g.node(statement{kind: "linear"}.set("features", classes), x)
		}
	}
	for g.IntN(3) == 0 {
		switch g.IntN(8) {
		case 0, 1, 2:
			x = g.node(statement{kind: "bias"}, x)
		case 3:
			x = g.node(statement{kind: "dropout"}.set("p", 0.4), x)
		case 4:
			x = g.node(statement{kind: "concat"}, x)
		case 5:
			x = g.node(statement{kind: "add"}, g.like(x, 2, sameShape)...)
		case 6:
			x = g.node(statement{kind: pick(g.Rand, "relu", "scale")}, x)
		case 7:
			x = g.batchnorm(x)
		}
	}
	if g.shapes[x] != want {
		x = g.node(statement{kind: "linear"}.set("features", classes), x)
	}
	return x
}

// join adds a head on all nodes that have no reader, so that nearly every node has a gradient.
func (g *generator) join(classes int) string {
	read := map[string]bool{}
	for _, s := range g.listing {
		for _, w := range s.words {
			read[w] = true
		}
	}
	var ends []string
	for _, x := range slices.Clone(g.nodes) {
		if !read[x] {
			ends = append(ends, g.node(statement{kind: "adaptive_avgpool"}.set("bins", "1x1"), x))
		}
	}
	if len(ends) == 0 {
		return g.logits(classes)
	}
	g.Shuffle(len(ends), func(i, j int) { ends[i], ends[j] = ends[j], ends[i] })
	x := ends[0]
	for _, y := range ends[1:] {
		x = g.node(statement{kind: "concat"}, x, y)
	}
	return g.node(statement{kind: "linear"}.set("features", classes), x)
}

// freeze freezes no parameters, some, all of one role, or all that a node depends on.
func (g *generator) freeze() {
	n, err := g.build()
	if err != nil {
		return
	}
	var frozen func(*graph.Param) bool
	switch g.IntN(8) {
	case 0, 1:
		share := g.Float64()
		frozen = func(*graph.Param) bool { return g.Float64() < share }
	case 2:
		role := pick(g.Rand, graph.Weight, graph.Bias, graph.Gamma, graph.Beta)
		frozen = func(p *graph.Param) bool { return p.Role == role }
	case 3, 4:
		x, err := n.g.Find(g.any())
		if err != nil {
			return
		}
		before := map[*graph.Param]bool{}
		for y := range graph.Ancestors(x) {
			for _, p := range y.Params() {
				before[p] = true
			}
		}
		keep := pick(g.Rand, graph.Role(""), graph.Bias, graph.Beta)
		frozen = func(p *graph.Param) bool { return before[p] && p.Role != keep }
	default:
		return
	}
	for _, p := range n.g.Params() {
		if !p.IsStatistic() && frozen(p) {
			g.listing = append(g.listing, statement{kind: "freeze", words: []string{p.Name}})
		}
	}
}
