package inception

import (
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

// deepModules is the table of the deep network: fourteen modules at three resolutions. At 32² the
// stem is at 32², 3a–3b at 16², 4a–4h at 8², and 5a–5d at 4².
var deepModules = []smallModule{
	{"inception3a", "maxpool1", smallWidths{16, 16, 16, 16, 16, 16}},
	{"inception3b", "", smallWidths{16, 16, 16, 16, 16, 16}},
	{"inception4a", "maxpool2", smallWidths{32, 16, 32, 16, 16, 16}},
	{"inception4b", "", smallWidths{32, 16, 32, 16, 16, 16}},
	{"inception4c", "", smallWidths{32, 16, 32, 16, 16, 16}},
	{"inception4d", "", smallWidths{32, 16, 32, 16, 16, 16}},
	{"inception4e", "", smallWidths{32, 16, 32, 16, 16, 16}},
	{"inception4f", "", smallWidths{32, 16, 32, 16, 16, 16}},
	{"inception4g", "", smallWidths{32, 16, 32, 16, 16, 16}},
	{"inception4h", "", smallWidths{32, 16, 32, 16, 16, 16}},
	{"inception5a", "maxpool3", smallWidths{32, 32, 48, 16, 32, 16}},
	{"inception5b", "", smallWidths{32, 32, 48, 16, 32, 16}},
	{"inception5c", "", smallWidths{32, 32, 48, 16, 32, 16}},
	{"inception5d", "", smallWidths{32, 32, 48, 16, 32, 16}},
}

// inceptionDeep adds Tributary's own network for studying the effect of heads on a deep trunk with
// small images. It has fourteen of the small network's modules in the manner of GoogLeNet in Caffe:
// no batch normalisation, biases that start at 0.2 and learn twice as fast, xavier filters. From
// the image to the main classifier the shortest path has 16 layers with weights and the longest 44;
// GoogLeNet has 13 and 22. Widths scale like the small network's.
func inceptionDeep(n *network) *graph.Node {
	n.unit = layers.ConvBias(graph.XavierUniform(), layers.CaffeBias(0.2))
	x := n.g.Dropout("dropout", n.smallTrunk(deepModules), 0.4)
	return layers.FC(n.g, "fc", x, n.cfg.Classes, graph.XavierUniform(), layers.CaffeBias(0))
}

// The heads of the deep network are GoogLeNet's, at GoogLeNet's places: after one third and after
// two thirds of the modules.
var inceptionDeepHeads = auxhead.Defaults{
	Kind: "googlenet2014", Weight: 0.3,
	Specs: []auxhead.Spec{
		{Name: "aux1", At: "inception4c", Kind: "googlenet2014", Weight: 0.3},
		{Name: "aux2", At: "inception4g", Kind: "googlenet2014", Weight: 0.3},
	},
}

// inceptionDeepBN adds the deep network with batch normalisation, like the small network's.
func inceptionDeepBN(n *network) *graph.Node {
	n.unit = layers.ConvBN(1e-3, 0.1, graph.HeNormal())
	x := n.g.Dropout("dropout", n.smallTrunk(deepModules), 0.2)
	return layers.FC(n.g, "fc", x, n.cfg.Classes, graph.HeNormal(), layers.Bias{})
}

var inceptionDeepBNHeads = auxhead.Defaults{
	Kind: "torchvision", Weight: 0.3,
	Specs: []auxhead.Spec{
		{Name: "aux1", At: "inception4c", Kind: "torchvision", Weight: 0.3},
		{Name: "aux2", At: "inception4g", Kind: "torchvision", Weight: 0.3},
	},
}
