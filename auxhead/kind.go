package auxhead

import (
	"slices"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/layers"
)

// Kind is a way to build a head.
type Kind struct {
	Name     string
	From     string // paper or reference implementation
	Smallest int    // minimum height and width of the feature map that it reads
	Build    Builder
}

// kinds is the table of head kinds. A new kind is a line here and a builder below.
var kinds = []Kind{
	{"googlenet2014", "Szegedy et al. 2014, section 5; Caffe's bvlc_googlenet: average pool 5x5/3, 1x1 convolution 128, FC 1024, dropout 0.7", 3, googlenet2014},
	{"torchvision", "torchvision's GoogLeNet: adaptive average pool 4x4, 1x1 convolution 128 with batch norm, FC 1024, dropout 0.7", 1, torchvision},
	{"inception_v3", "Szegedy et al. 2015, torchvision's Inception v3: average pool 5x5/3, 1x1 convolution 128, 5x5 convolution 768, global average pool", 17, inceptionV3},
	{"inception_v4", "TF-slim's Inception v4 and Inception-ResNet v2: average pool 5x5/3, 1x1 convolution 128, convolution 768 over the whole map", 5, inceptionV4},
	{"gap", "plain: global average pool and a linear classifier", 1, globalPool},
}

// Kinds returns the kinds of heads.
func Kinds() []Kind { return slices.Clone(kinds) }

// LookupKind returns the kind with the given name, or a *graph.UnknownError with the nearest names.
func LookupKind(name string) (Kind, error) {
	known := make([]string, len(kinds))
	for i, k := range kinds {
		if k.Name == name {
			return k, nil
		}
		known[i] = k.Name
	}
	return Kind{}, &graph.UnknownError{What: "kind of head", Name: name, Nearest: graph.Nearest(name, known, 3)}
}

// googlenet2014 is the head of the 2014 paper in the form of Caffe's bvlc_googlenet. Caffe rounds
// the sizes of pooled maps up.
func googlenet2014(g *graph.Graph, name string, x *graph.Node, classes int) *graph.Node {
	conv := layers.ConvBias(graph.XavierUniform(), layers.CaffeBias(0.2))
	x = g.AvgPool(name+"/pool", x, graph.Square(5, 3, 0).CeilMode(), false)
	x = conv(g, name+"/conv", x, 128, graph.Square(1, 1, 0))
	x = layers.FC(g, name+"/fc1", x, 1024, graph.XavierUniform(), layers.CaffeBias(0.2))
	x = g.ReLU(name+"/fc1/relu", x)
	x = g.Dropout(name+"/dropout", x, 0.7)
	return layers.FC(g, name+"/fc2", x, classes, graph.XavierUniform(), layers.CaffeBias(0))
}

// torchvision is torchvision.models.googlenet.InceptionAux.
func torchvision(g *graph.Graph, name string, x *graph.Node, classes int) *graph.Node {
	init := layers.TorchTruncNormal(0.01)
	conv := layers.ConvBN(1e-3, 0.1, init)
	x = g.AdaptiveAvgPool(name+"/pool", x, 4, 4)
	x = conv(g, name+"/conv", x, 128, graph.Square(1, 1, 0))
	x = layers.FC(g, name+"/fc1", x, 1024, init, layers.TorchBias(x))
	x = g.ReLU(name+"/fc1/relu", x)
	x = g.Dropout(name+"/dropout", x, 0.7)
	return layers.FC(g, name+"/fc2", x, classes, init, layers.TorchBias(x))
}

// inceptionV3 is torchvision.models.inception.InceptionAux. torchvision sets a standard deviation
// of 0.01 for conv1, but on the wrapper, which its initialisation ignores. The effective value is
// 0.1, as here.
func inceptionV3(g *graph.Graph, name string, x *graph.Node, classes int) *graph.Node {
	conv := layers.ConvBN(1e-3, 0.1, layers.TorchTruncNormal(0.1))
	x = g.AvgPool(name+"/pool", x, graph.Square(5, 3, 0), true)
	x = conv(g, name+"/conv0", x, 128, graph.Square(1, 1, 0))
	x = conv(g, name+"/conv1", x, 768, graph.Square(5, 1, 0))
	x = g.GlobalAvgPool(name+"/avgpool", x)
	return layers.FC(g, name+"/fc", x, classes, layers.TorchTruncNormal(0.001), layers.TorchBias(x))
}

// inceptionV4 is the head of TF-slim's inception_v4 and inception_resnet_v2. Its second convolution
// covers the whole map.
func inceptionV4(g *graph.Graph, name string, x *graph.Node, classes int) *graph.Node {
	conv := layers.ConvBN(1e-3, 0.1, graph.HeNormal())
	x = g.AvgPool(name+"/pool", x, graph.Square(5, 3, 0), true)
	x = conv(g, name+"/conv0", x, 128, graph.Square(1, 1, 0))
	x = conv(g, name+"/conv1", x, 768, graph.Rect(x.Shape().H, x.Shape().W, 0, 0))
	return layers.FC(g, name+"/fc", x, classes, graph.GlorotUniform(), layers.Bias{})
}

// globalPool is the lightest head, with C·classes + classes parameters.
func globalPool(g *graph.Graph, name string, x *graph.Node, classes int) *graph.Node {
	x = g.GlobalAvgPool(name+"/avgpool", x)
	return layers.FC(g, name+"/fc", x, classes, graph.HeNormal(), layers.Bias{})
}
