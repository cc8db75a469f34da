package inception

import (
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

// inceptionV3 adds torchvision.models.Inception3 (Szegedy et al. 2015, "Rethinking the Inception
// Architecture"). At 299²: stem 149², 147², 73², 71², 35²; Mixed_5b–5d 35²; Mixed_6a–6e 17²;
// Mixed_7a–7c 8². 23,834,568 parameters without the head, 5.713 G MACs. torchvision's
// transform_input is not part of the network; instead its Input has the statistics that the weights
// were trained with.
func inceptionV3(n *network) *graph.Node {
	g, init := n.g, layers.TorchTruncNormal(0.1)
	n.unit = layers.ConvBN(1e-3, 0.1, init)
	x := n.v3Stem(g.Input("input", n.cfg.shape()))
	x = n.mixedA("Mixed_5b", x, 32)
	x = n.mixedA("Mixed_5c", x, 64)
	x = n.mixedA("Mixed_5d", x, 64)
	x = n.mixedB("Mixed_6a", x)
	x = n.mixedC("Mixed_6b", x, 128)
	x = n.mixedC("Mixed_6c", x, 160)
	x = n.mixedC("Mixed_6d", x, 160)
	x = n.mixedC("Mixed_6e", x, 192)
	x = n.mixedD("Mixed_7a", x)
	x = n.mixedE("Mixed_7b", x)
	x = n.mixedE("Mixed_7c", x)
	x = g.GlobalAvgPool("avgpool", x)
	x = g.Dropout("dropout", x, 0.5)
	return layers.FC(g, "fc", x, n.cfg.Classes, init, layers.TorchBias(x))
}

var inceptionV3Heads = auxhead.Defaults{
	Kind: "inception_v3", Weight: 0.4,
	Specs: []auxhead.Spec{{Name: "aux", At: "Mixed_6e", Kind: "inception_v3", Weight: 0.4}},
}

// v3Stem adds the stem, which Inception-ResNet v2 shares: 35² of 192 channels from 299².
func (n *network) v3Stem(x *graph.Node) *graph.Node {
	x = n.add("Conv2d_1a_3x3", x, 32, halve(3))
	x = n.add("Conv2d_2a_3x3", x, 32, graph.Square(3, 1, 0))
	x = n.add("Conv2d_2b_3x3", x, 64, same(3))
	x = n.g.MaxPool("maxpool1", x, halve(3))
	x = n.add("Conv2d_3b_1x1", x, 80, same(1))
	x = n.add("Conv2d_4a_3x3", x, 192, graph.Square(3, 1, 0))
	x = n.g.MaxPool("maxpool2", x, halve(3))
	return x
}

// mixedA adds the module of figure 5 of the paper (with one 5×5 kept): 64 + 64 + 96 + proj
// channels.
func (n *network) mixedA(name string, x *graph.Node, proj int) *graph.Node {
	return n.module(name, x,
		tower{name: "tower1x1", chain: []conv{{"", 64, same(1)}}},
		tower{name: "tower5x5", chain: []conv{{"reduce", 48, same(1)}, {"5x5", 64, same(5)}}},
		tower{name: "tower3x3dbl", chain: []conv{{"reduce", 64, same(1)}, {"3x3a", 96, same(3)}, {"3x3b", 96, same(3)}}},
		tower{name: "towerpool", pool: avgPool(same(3)), chain: []conv{{"proj", proj, same(1)}}})
}

// mixedB adds the grid reduction of figure 10: 384 + 96 channels, and those of x.
func (n *network) mixedB(name string, x *graph.Node) *graph.Node {
	return n.module(name, x,
		tower{name: "tower3x3", chain: []conv{{"", 384, halve(3)}}},
		tower{name: "tower3x3dbl", chain: []conv{{"reduce", 64, same(1)}, {"3x3a", 96, same(3)}, {"3x3b", 96, halve(3)}}},
		tower{name: "towerpool", pool: maxPool(halve(3))})
}

// mixedC adds the module of figure 6 with n = 7: four towers of 192 channels. c7 is their inner
// width.
func (n *network) mixedC(name string, x *graph.Node, c7 int) *graph.Node {
	return n.module(name, x,
		tower{name: "tower1x1", chain: []conv{{"", 192, same(1)}}},
		tower{name: "tower7x7", chain: []conv{{"reduce", c7, same(1)}, {"1x7", c7, row(7)}, {"7x1", 192, column(7)}}},
		tower{name: "tower7x7dbl", chain: []conv{{"reduce", c7, same(1)}, {"7x1a", c7, column(7)}, {"1x7a", c7, row(7)},
			{"7x1b", c7, column(7)}, {"1x7b", 192, row(7)}}},
		tower{name: "towerpool", pool: avgPool(same(3)), chain: []conv{{"proj", 192, same(1)}}})
}

// mixedD adds the second grid reduction: 320 + 192 channels, and those of x.
func (n *network) mixedD(name string, x *graph.Node) *graph.Node {
	return n.module(name, x,
		tower{name: "tower3x3", chain: []conv{{"reduce", 192, same(1)}, {"3x3", 320, halve(3)}}},
		tower{name: "tower7x7x3", chain: []conv{{"reduce", 192, same(1)}, {"1x7", 192, row(7)}, {"7x1", 192, column(7)},
			{"3x3", 192, halve(3)}}},
		tower{name: "towerpool", pool: maxPool(halve(3))})
}

// mixedE adds the module of figure 7, with an expanded filter bank: 320 + 2·384 + 2·384 + 192 =
// 2048 channels.
func (n *network) mixedE(name string, x *graph.Node) *graph.Node {
	fork := []conv{{"1x3", 384, row(3)}, {"3x1", 384, column(3)}}
	return n.module(name, x,
		tower{name: "tower1x1", chain: []conv{{"", 320, same(1)}}},
		tower{name: "tower3x3", chain: []conv{{"reduce", 384, same(1)}}, fork: fork},
		tower{name: "tower3x3dbl", chain: []conv{{"reduce", 448, same(1)}, {"3x3", 384, same(3)}}, fork: fork},
		tower{name: "towerpool", pool: avgPool(same(3)), chain: []conv{{"proj", 192, same(1)}}})
}
