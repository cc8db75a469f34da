package inception

import (
	"fmt"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

// inceptionResNetV2 adds Inception-ResNet v2 (Szegedy et al. 2016, "Inception-v4, Inception-ResNet
// and the Impact of Residual Connections on Learning") in the form of TF-slim and timm. They differ
// from the paper's figures: the stem is Inception v3's with Mixed_5b, and the channels are Keras's.
// At 299²: Mixed_5b and ten blocks at 35²; Mixed_6a and twenty at 17²; Mixed_7a and ten at 8².
// 55,843,464 parameters without the head, 13.16 G MACs.
//
// A block joins its towers, projects them to its input's channels, and adds them to its input,
// scaled by 0.17, 0.1 or 0.2 (section 3.3 of the paper). The last block is not scaled and has no
// ReLU.
func inceptionResNetV2(n *network) *graph.Node {
	g := n.g
	n.unit = layers.ConvBN(1e-3, 0.1, graph.HeNormal())
	x := n.v3Stem(g.Input("input", n.cfg.shape()))
	x = n.module("Mixed_5b", x,
		tower{name: "tower1x1", chain: []conv{{"", 96, same(1)}}},
		tower{name: "tower5x5", chain: []conv{{"reduce", 48, same(1)}, {"5x5", 64, same(5)}}},
		tower{name: "tower3x3dbl", chain: []conv{{"reduce", 64, same(1)}, {"3x3a", 96, same(3)}, {"3x3b", 96, same(3)}}},
		tower{name: "towerpool", pool: slimAvgPool(same(3)), chain: []conv{{"proj", 64, same(1)}}})
	for i := range 10 {
		x = n.residual(fmt.Sprintf("Block35_%d", i+1), x, 0.17, true,
			tower{name: "tower1x1", chain: []conv{{"", 32, same(1)}}},
			tower{name: "tower3x3", chain: []conv{{"reduce", 32, same(1)}, {"3x3", 32, same(3)}}},
			tower{name: "tower3x3dbl", chain: []conv{{"reduce", 32, same(1)}, {"3x3a", 48, same(3)}, {"3x3b", 64, same(3)}}})
	}
	x = n.reductionA("Mixed_6a", x, 256, 256, 384)
	for i := range 20 {
		x = n.residual(fmt.Sprintf("Block17_%d", i+1), x, 0.1, true,
			tower{name: "tower1x1", chain: []conv{{"", 192, same(1)}}},
			tower{name: "tower7x7", chain: []conv{{"reduce", 128, same(1)}, {"1x7", 160, row(7)}, {"7x1", 192, column(7)}}})
	}
	x = n.module("Mixed_7a", x,
		tower{name: "tower3x3a", chain: []conv{{"reduce", 256, same(1)}, {"3x3", 384, halve(3)}}},
		tower{name: "tower3x3b", chain: []conv{{"reduce", 256, same(1)}, {"3x3", 288, halve(3)}}},
		tower{name: "tower3x3dbl", chain: []conv{{"reduce", 256, same(1)}, {"3x3a", 288, same(3)}, {"3x3b", 320, halve(3)}}},
		tower{name: "towerpool", pool: maxPool(halve(3))})
	for i := range 10 {
		scale, relu := 0.2, true
		if i == 9 {
			scale, relu = 1, false
		}
		x = n.residual(fmt.Sprintf("Block8_%d", i+1), x, scale, relu,
			tower{name: "tower1x1", chain: []conv{{"", 192, same(1)}}},
			tower{name: "tower3x3", chain: []conv{{"reduce", 192, same(1)}, {"1x3", 224, row(3)}, {"3x1", 256, column(3)}}})
	}
	x = n.add("Conv2d_7b_1x1", x, 1536, same(1))
	return n.slimTop(x)
}

var inceptionResNetV2Heads = auxhead.Defaults{
	Kind: "inception_v4", Weight: 0.4,
	Specs: []auxhead.Spec{{Name: "aux", At: "Block17_20", Kind: "inception_v4", Weight: 0.4}},
}

// residual adds a block: x + scale·(the joined towers, through a 1×1 convolution with bias),
// followed by a ReLU if relu is set.
func (n *network) residual(name string, x *graph.Node, scale float64, relu bool, towers ...tower) *graph.Node {
	y := n.towers(name, x, towers)
	y = n.g.AddBias(name+"/bias", n.g.Conv(name+"/conv2d", y, x.Shape().C, same(1), graph.HeNormal()), nil)
	if scale != 1 {
		y = n.g.Scale(name+"/scale", y, scale)
	}
	x = n.g.Add(name+"/add", x, y)
	if relu {
		x = n.g.ReLU(name+"/relu", x)
	}
	return n.g.Mark(name, x)
}
