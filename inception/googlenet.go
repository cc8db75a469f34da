package inception

import (
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

// googlenet adds torchvision.models.GoogLeNet: batch normalisation with ε 0.001 instead of LRN and
// biases, and a 3×3 convolution instead of the paper's 5×5 (torchvision issue 906). At 224²: conv1
// 112², maxpool1 56², maxpool2 28², 3a–3b 28², 4a–4e 14², 5a–5b 7². 6,624,904 parameters without
// heads, 1.498 G MACs.
func googlenet(n *network) *graph.Node {
	g, init := n.g, layers.TorchTruncNormal(0.01)
	n.unit = layers.ConvBN(1e-3, 0.1, init)
	x := g.Input("input", n.cfg.shape())
	x = n.add("conv1", x, 64, graph.Square(7, 2, 3))
	x = g.MaxPool("maxpool1", x, halve(3).CeilMode())
	x = n.add("conv2", x, 64, same(1))
	x = n.add("conv3", x, 192, same(3))
	x = g.MaxPool("maxpool2", x, halve(3).CeilMode())
	x = n.googlenetTrunk(x, 3, halve(2))
	x = g.GlobalAvgPool("avgpool", x)
	x = g.Dropout("dropout", x, 0.2)
	return layers.FC(g, "fc", x, n.cfg.Classes, init, layers.TorchBias(x))
}

var googlenetHeads = auxhead.Defaults{
	Kind: "torchvision", Weight: 0.3,
	Specs: []auxhead.Spec{
		{Name: "aux1", At: "inception4a", Kind: "torchvision", Weight: 0.3},
		{Name: "aux2", At: "inception4d", Kind: "torchvision", Weight: 0.3},
	},
}
