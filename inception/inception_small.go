package inception

import (
	"math"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

// smallWidths are the channels of a small network's module at width 1.
type smallWidths struct {
	w1x1, reduce3x3, w3x3, reduceDbl, wDbl, proj int
}

// smallModule is a line of a network's table of modules.
type smallModule struct {
	name string
	pool string // a max pool before the module, if it has a name
	smallWidths
}

// smallModules is the table of the small network: five modules at three resolutions. At 28² the
// stem is at 28², 3a–3b at 14², 4a–4b at 7², and 5a at 3².
var smallModules = []smallModule{
	{"inception3a", "maxpool1", smallWidths{16, 16, 32, 16, 16, 16}},
	{"inception3b", "", smallWidths{16, 16, 32, 16, 16, 16}},
	{"inception4a", "maxpool2", smallWidths{32, 32, 64, 16, 32, 32}},
	{"inception4b", "", smallWidths{48, 32, 64, 16, 32, 16}},
	{"inception5a", "maxpool3", smallWidths{48, 48, 96, 16, 48, 32}},
}

// inceptionSmall adds Tributary's own network for images of 28 to 64 pixels a side, such as
// Fashion-MNIST and CIFAR-10. It has GoogLeNet's plan with batch normalisation, two 3×3
// convolutions instead of the paper's 5×5 (as in Inception v3), and a stem that keeps the
// resolution. Widths are multiples of 16, which suits the kernels. Config.WidthMultiplier scales
// all channels. 215,118 parameters with two heads and 10.2 M MACs for an image of 28×28×1 at width
// 1.
//
// Measured with PyTorch on the first 6,000 images of Fashion-MNIST (10 epochs of SGD at a one-cycle
// rate of 0.1, batch 64): 90 % of the first 1,000 test images.
func inceptionSmall(n *network) *graph.Node {
	n.unit = layers.ConvBN(1e-3, 0.1, graph.HeNormal())
	x := n.g.Dropout("dropout", n.smallTrunk(smallModules), 0.2)
	return layers.FC(n.g, "fc", x, n.cfg.Classes, graph.HeNormal(), layers.Bias{})
}

// smallTrunk adds the input, a stem of one convolution, the modules of a table, and the pooling
// before the classifier.
func (n *network) smallTrunk(modules []smallModule) *graph.Node {
	x := n.g.Input("input", n.cfg.shape())
	x = n.add("conv1", x, n.scaled(16), same(3))
	for _, m := range modules {
		if m.pool != "" {
			x = n.g.MaxPool(m.pool, x, halve(3).CeilMode())
		}
		x = n.smallModule(m.name, x, m.smallWidths)
	}
	return n.g.GlobalAvgPool("avgpool", x)
}

func (n *network) smallModule(name string, x *graph.Node, w smallWidths) *graph.Node {
	return n.module(name, x,
		tower{name: "tower1x1", chain: []conv{{"", n.scaled(w.w1x1), same(1)}}},
		tower{name: "tower3x3", chain: []conv{{"reduce", n.scaled(w.reduce3x3), same(1)}, {"3x3", n.scaled(w.w3x3), same(3)}}},
		tower{name: "tower3x3dbl", chain: []conv{{"reduce", n.scaled(w.reduceDbl), same(1)}, {"3x3a", n.scaled(w.wDbl), same(3)},
			{"3x3b", n.scaled(w.wDbl), same(3)}}},
		tower{name: "towerpool", pool: maxPool(same(3)), chain: []conv{{"proj", n.scaled(w.proj), same(1)}}})
}

// scaled returns a number of channels times the width multiplier, rounded to a multiple of 4 (of 8
// from 32 on), at least 4.
func (n *network) scaled(channels int) int {
	c := float64(channels) * n.cfg.WidthMultiplier
	step := 4.0
	if c >= 32 {
		step = 8
	}
	return int(max(4, step*math.Round(c/step)))
}

var inceptionSmallHeads = auxhead.Defaults{
	Kind: "gap", Weight: 0.3,
	Specs: []auxhead.Spec{
		{Name: "aux1", At: "inception3b", Kind: "gap", Weight: 0.3},
		{Name: "aux2", At: "inception4b", Kind: "gap", Weight: 0.3},
	},
}
