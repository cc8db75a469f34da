package inception

import (
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

// googlenet2014 adds the network of Szegedy et al. 2014, table 1, in the form of Caffe's
// bvlc_googlenet. It has no batch normalisation, local response normalisation twice in the stem,
// biases that start at 0.2 (at 0 in the classifiers) and learn twice as fast, xavier filters, and
// max pools that round sizes up. 6,998,552 parameters without heads, 1.583 G MACs at 224².
func googlenet2014(n *network) *graph.Node {
	g := n.g
	n.unit = layers.ConvBias(graph.XavierUniform(), layers.CaffeBias(0.2))
	x := g.Input("input", n.cfg.shape())
	x = n.add("conv1", x, 64, graph.Square(7, 2, 3))
	x = g.MaxPool("maxpool1", x, halve(3).CeilMode())
	x = g.LRN("norm1", x, 5, 1e-4, 0.75, 1)
	x = n.add("conv2", x, 64, same(1))
	x = n.add("conv3", x, 192, same(3))
	x = g.LRN("norm2", x, 5, 1e-4, 0.75, 1)
	x = g.MaxPool("maxpool2", x, halve(3).CeilMode())
	x = n.googlenetTrunk(x, 5, halve(3))
	x = g.GlobalAvgPool("avgpool", x)
	x = g.Dropout("dropout", x, 0.4)
	return layers.FC(g, "fc", x, n.cfg.Classes, graph.XavierUniform(), layers.CaffeBias(0))
}

var googlenet2014Heads = auxhead.Defaults{
	Kind: "googlenet2014", Weight: 0.3,
	Specs: []auxhead.Spec{
		{Name: "aux1", At: "inception4a", Kind: "googlenet2014", Weight: 0.3},
		{Name: "aux2", At: "inception4d", Kind: "googlenet2014", Weight: 0.3},
	},
}
