package inception

import (
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

// network builds one network. It has the graph under construction and its kind of unit.
type network struct {
	g    *graph.Graph
	cfg  Config
	unit layers.Unit
}

// conv is a convolution unit of a tower. A unit with an empty name is the whole tower.
type conv struct {
	name    string
	filters int
	win     graph.Window
}

// pool is the pooling at the beginning of a tower.
type pool func(g *graph.Graph, name string, x *graph.Node) *graph.Node

// tower is one branch of a module: a pooling, a chain of convolutions, and a fork of parallel
// convolutions. Each part may be absent.
type tower struct {
	name  string
	pool  pool
	chain []conv
	fork  []conv // convolutions on the end of the chain; their outputs are joined
}

// The common windows: k×k with padding that keeps the size, k×k without padding at stride 2, one
// row, and one column.
func same(k int) graph.Window   { return graph.Square(k, 1, k/2) }
func halve(k int) graph.Window  { return graph.Square(k, 2, 0) }
func row(k int) graph.Window    { return graph.Rect(1, k, 0, k/2) }
func column(k int) graph.Window { return graph.Rect(k, 1, k/2, 0) }

func maxPool(w graph.Window) pool {
	return func(g *graph.Graph, name string, x *graph.Node) *graph.Node { return g.MaxPool(name, x, w) }
}

// avgPool returns an average pooling that counts the padding, as in PyTorch.
func avgPool(w graph.Window) pool {
	return func(g *graph.Graph, name string, x *graph.Node) *graph.Node { return g.AvgPool(name, x, w, true) }
}

// slimAvgPool returns an average pooling that leaves the padding out, as in TensorFlow.
func slimAvgPool(w graph.Window) pool {
	return func(g *graph.Graph, name string, x *graph.Node) *graph.Node { return g.AvgPool(name, x, w, false) }
}

// add adds a unit and makes it an end point.
func (n *network) add(name string, x *graph.Node, filters int, w graph.Window) *graph.Node {
	return n.g.Mark(name, n.unit(n.g, name, x, filters, w))
}

// module adds an Inception module: all towers on x, with their outputs joined in their order. The
// module and every tower become end points (name and name/tower). The nodes of unit u in tower t
// are name/t/u/conv, …
func (n *network) module(name string, x *graph.Node, towers ...tower) *graph.Node {
	return n.g.Mark(name, n.towers(name, x, towers))
}

// towers is module without an end point for the whole module.
func (n *network) towers(name string, x *graph.Node, towers []tower) *graph.Node {
	var outs []*graph.Node
	for _, t := range towers {
		prefix, y := name+"/"+t.name, x
		if t.pool != nil {
			y = t.pool(n.g, prefix+"/pool", y)
		}
		for _, c := range t.chain {
			y = n.conv(prefix, c, y)
		}
		if len(t.fork) > 0 {
			var tines []*graph.Node
			for _, c := range t.fork {
				tines = append(tines, n.conv(prefix, c, y))
			}
			y = n.g.Concat(prefix+"/concat", tines...)
		}
		outs = append(outs, n.g.Mark(prefix, y))
	}
	return n.g.Concat(name+"/concat", outs...)
}

func (n *network) conv(prefix string, c conv, x *graph.Node) *graph.Node {
	if c.name != "" {
		prefix += "/" + c.name
	}
	return n.unit(n.g, prefix, x, c.filters, c.win)
}

// widths are the channels of a GoogLeNet module in the order of table 1 of the 2014 paper.
type widths struct {
	w1x1, reduce3x3, w3x3, reduce5x5, w5x5, proj int
}

// googlenetModule adds the module of figure 2b of the 2014 paper. k5 is the size of the convolution
// that is 5×5 in the paper.
func (n *network) googlenetModule(name string, x *graph.Node, w widths, k5 int) *graph.Node {
	name5 := map[int]string{3: "3x3", 5: "5x5"}[k5]
	return n.module(name, x,
		tower{name: "tower1x1", chain: []conv{{"", w.w1x1, same(1)}}},
		tower{name: "tower3x3", chain: []conv{{"reduce", w.reduce3x3, same(1)}, {"3x3", w.w3x3, same(3)}}},
		tower{name: "tower5x5", chain: []conv{{"reduce", w.reduce5x5, same(1)}, {name5, w.w5x5, same(k5)}}},
		tower{name: "towerpool", pool: maxPool(same(3)), chain: []conv{{"proj", w.proj, same(1)}}})
}

// googlenetModules is table 1 of the 2014 paper, which torchvision follows.
var googlenetModules = map[string]widths{
	"inception3a": {64, 96, 128, 16, 32, 32},
	"inception3b": {128, 128, 192, 32, 96, 64},
	"inception4a": {192, 96, 208, 16, 48, 64},
	"inception4b": {160, 112, 224, 24, 64, 64},
	"inception4c": {128, 128, 256, 24, 64, 64},
	"inception4d": {112, 144, 288, 32, 64, 64},
	"inception4e": {256, 160, 320, 32, 128, 128},
	"inception5a": {256, 160, 320, 32, 128, 128},
	"inception5b": {384, 192, 384, 48, 128, 128},
}

// googlenetTrunk adds the nine modules from 3a to 5b, with the max pools between them. pool4 is the
// window of the last pool.
func (n *network) googlenetTrunk(x *graph.Node, k5 int, pool4 graph.Window) *graph.Node {
	stage := func(names ...string) {
		for _, m := range names {
			x = n.googlenetModule(m, x, googlenetModules[m], k5)
		}
	}
	stage("inception3a", "inception3b")
	x = n.g.MaxPool("maxpool3", x, halve(3).CeilMode())
	stage("inception4a", "inception4b", "inception4c", "inception4d", "inception4e")
	x = n.g.MaxPool("maxpool4", x, pool4.CeilMode())
	stage("inception5a", "inception5b")
	return x
}
