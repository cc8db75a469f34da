package inception

import (
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

// inceptionV4 adds Inception v4 (Szegedy et al. 2016, "Inception-v4, Inception-ResNet and the
// Impact of Residual Connections on Learning", figures 3 to 9) in the form of TF-slim and timm. At
// 299²: Mixed_3a 73², Mixed_4a 71², Mixed_5a–5e 35²; Mixed_6a–6h 17²; Mixed_7a–7d 8². 42,679,816
// parameters without the head, 12.25 G MACs.
func inceptionV4(n *network) *graph.Node {
	g := n.g
	n.unit = layers.ConvBN(1e-3, 0.1, graph.HeNormal())
	x := g.Input("input", n.cfg.shape())
	x = n.add("Conv2d_1a_3x3", x, 32, halve(3))
	x = n.add("Conv2d_2a_3x3", x, 32, graph.Square(3, 1, 0))
	x = n.add("Conv2d_2b_3x3", x, 64, same(3))
	x = n.module("Mixed_3a", x,
		tower{name: "towerpool", pool: maxPool(halve(3))},
		tower{name: "tower3x3", chain: []conv{{"", 96, halve(3)}}})
	x = n.module("Mixed_4a", x,
		tower{name: "tower3x3", chain: []conv{{"reduce", 64, same(1)}, {"3x3", 96, graph.Square(3, 1, 0)}}},
		tower{name: "tower7x7", chain: []conv{{"reduce", 64, same(1)}, {"1x7", 64, row(7)}, {"7x1", 64, column(7)}, {"3x3", 96, graph.Square(3, 1, 0)}}})
	x = n.module("Mixed_5a", x,
		tower{name: "tower3x3", chain: []conv{{"", 192, halve(3)}}},
		tower{name: "towerpool", pool: maxPool(halve(3))})
	for _, name := range []string{"Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_5e"} {
		x = n.v4A(name, x)
	}
	x = n.reductionA("Mixed_6a", x, 192, 224, 256)
	for _, name := range []string{"Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_6f", "Mixed_6g", "Mixed_6h"} {
		x = n.v4B(name, x)
	}
	x = n.module("Mixed_7a", x, // figure 8
		tower{name: "tower3x3", chain: []conv{{"reduce", 192, same(1)}, {"3x3", 192, halve(3)}}},
		tower{name: "tower7x7x3", chain: []conv{{"reduce", 256, same(1)}, {"1x7", 256, row(7)}, {"7x1", 320, column(7)}, {"3x3", 320, halve(3)}}},
		tower{name: "towerpool", pool: maxPool(halve(3))})
	for _, name := range []string{"Mixed_7b", "Mixed_7c", "Mixed_7d"} {
		x = n.v4C(name, x)
	}
	return n.slimTop(x)
}

var inceptionV4Heads = auxhead.Defaults{
	Kind: "inception_v4", Weight: 0.4,
	Specs: []auxhead.Spec{{Name: "aux", At: "Mixed_6h", Kind: "inception_v4", Weight: 0.4}},
}

// slimTop adds the classifier of the networks of the 2016 paper. It is initialised as in TF-slim,
// like their convolutions.
func (n *network) slimTop(x *graph.Node) *graph.Node {
	x = n.g.GlobalAvgPool("avgpool", x)
	x = n.g.Dropout("dropout", x, 0.2)
	return layers.FC(n.g, "fc", x, n.cfg.Classes, graph.GlorotUniform(), layers.Bias{})
}

// v4A adds the module of figure 4: four towers of 96 channels.
func (n *network) v4A(name string, x *graph.Node) *graph.Node {
	return n.module(name, x,
		tower{name: "tower1x1", chain: []conv{{"", 96, same(1)}}},
		tower{name: "tower3x3", chain: []conv{{"reduce", 64, same(1)}, {"3x3", 96, same(3)}}},
		tower{name: "tower3x3dbl", chain: []conv{{"reduce", 64, same(1)}, {"3x3a", 96, same(3)}, {"3x3b", 96, same(3)}}},
		tower{name: "towerpool", pool: slimAvgPool(same(3)), chain: []conv{{"proj", 96, same(1)}}})
}

// reductionA adds the module of figure 7, from 35² to 17²: 384 + m channels, and those of x. k, l
// and m are as in the paper's table 1.
func (n *network) reductionA(name string, x *graph.Node, k, l, m int) *graph.Node {
	return n.module(name, x,
		tower{name: "tower3x3", chain: []conv{{"", 384, halve(3)}}},
		tower{name: "tower3x3dbl", chain: []conv{{"reduce", k, same(1)}, {"3x3a", l, same(3)}, {"3x3b", m, halve(3)}}},
		tower{name: "towerpool", pool: maxPool(halve(3))})
}

// v4B adds the module of figure 5: 384 + 256 + 256 + 128 channels.
func (n *network) v4B(name string, x *graph.Node) *graph.Node {
	return n.module(name, x,
		tower{name: "tower1x1", chain: []conv{{"", 384, same(1)}}},
		tower{name: "tower7x7", chain: []conv{{"reduce", 192, same(1)}, {"1x7", 224, row(7)}, {"7x1", 256, column(7)}}},
		tower{name: "tower7x7dbl", chain: []conv{{"reduce", 192, same(1)}, {"7x1a", 192, column(7)}, {"1x7a", 224, row(7)},
			{"7x1b", 224, column(7)}, {"1x7b", 256, row(7)}}},
		tower{name: "towerpool", pool: slimAvgPool(same(3)), chain: []conv{{"proj", 128, same(1)}}})
}

// v4C adds the module of figure 6: 256 + 2·256 + 2·256 + 256 = 1536 channels.
func (n *network) v4C(name string, x *graph.Node) *graph.Node {
	return n.module(name, x,
		tower{name: "tower1x1", chain: []conv{{"", 256, same(1)}}},
		tower{name: "tower3x3", chain: []conv{{"reduce", 384, same(1)}}, fork: []conv{{"1x3", 256, row(3)}, {"3x1", 256, column(3)}}},
		tower{name: "tower3x3dbl", chain: []conv{{"reduce", 384, same(1)}, {"3x1a", 448, column(3)}, {"1x3a", 512, row(3)}},
			fork: []conv{{"1x3b", 256, row(3)}, {"3x1b", 256, column(3)}}},
		tower{name: "towerpool", pool: slimAvgPool(same(3)), chain: []conv{{"proj", 256, same(1)}}})
}
