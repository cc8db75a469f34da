// Package layers has the units that networks and heads share: a convolution with batch
// normalisation and ReLU, a convolution with bias and ReLU, and a fully connected layer with bias.
//
// A unit called NAME adds the nodes NAME/conv (or NAME/linear), NAME/bn or NAME/bias, and
// NAME/relu. So the parameters of "inception4a/tower3x3/reduce" are
// inception4a/tower3x3/reduce/conv/weight, …/bn/gamma and so on. Package interop derives the names
// of other frameworks from these.
package layers

import (
	"math"

	"github.com/tributary-ml/tributary/graph"
)

// Unit adds a convolution with the given number of filters and the nodes that belong to it, and
// returns the node of the unit's output. A network has one kind of unit and builds everything from
// it.
type Unit func(g *graph.Graph, name string, x *graph.Node, filters int, w graph.Window) *graph.Node

// ConvBN returns the unit convolution, batch normalisation, ReLU (torchvision's BasicConv2d). eps
// and momentum are as in graph.BatchNorm. init initialises the filters; nil means graph.HeNormal.
func ConvBN(eps, momentum float64, init graph.Init) Unit {
	return func(g *graph.Graph, name string, x *graph.Node, filters int, w graph.Window) *graph.Node {
		x = g.Conv(name+"/conv", x, filters, w, init)
		x = g.BatchNorm(name+"/bn", x, eps, momentum)
		return g.ReLU(name+"/relu", x)
	}
}

// Bias says how biases are initialised and how fast they learn.
type Bias struct {
	Init    graph.Init // nil means zeros
	LRScale float64    // factor of the learning rate; 0 means 1
}

func (b Bias) add(g *graph.Graph, name string, x *graph.Node) *graph.Node {
	return g.Apply(name, graph.AddBias{Init: b.Init, LRScale: b.LRScale}, x)
}

// ConvBias returns the unit convolution, bias, ReLU (a Caffe convolution and its ReLU).
func ConvBias(init graph.Init, bias Bias) Unit {
	return func(g *graph.Graph, name string, x *graph.Node, filters int, w graph.Window) *graph.Node {
		x = g.Conv(name+"/conv", x, filters, w, init)
		x = bias.add(g, name+"/bias", x)
		return g.ReLU(name+"/relu", x)
	}
}

// FC adds a fully connected layer over all of x with a bias: the nodes NAME/linear and NAME/bias.
// The result has shape (1, 1, features).
func FC(g *graph.Graph, name string, x *graph.Node, features int, init graph.Init, bias Bias) *graph.Node {
	x = g.Linear(name+"/linear", x, features, init)
	return bias.add(g, name+"/bias", x)
}

// TorchBias returns the initial bias of PyTorch's nn.Linear: uniform in ±1/sqrt(fan_in).
// torchvision's Inception networks draw new weights for their linear layers and keep these biases.
func TorchBias(x *graph.Node) Bias {
	bound := 1 / math.Sqrt(float64(max(1, x.Shape().Elements())))
	return Bias{Init: func(r *graph.Random, _ []int, dst []float32) {
		for i := range dst {
			dst[i] = float32(bound * (2*r.Uniform() - 1))
		}
	}}
}

// TorchTruncNormal returns torch.nn.init.trunc_normal_ as torchvision's Inception networks call it.
// It truncates at an absolute ±2, which has no effect at their standard deviations of 0.001 to 0.1.
// (Older versions truncate at ±2 standard deviations.)
func TorchTruncNormal(std float64) graph.Init { return graph.TruncatedNormalAt(std, 2) }

// CaffeBias returns the biases of Caffe's GoogLeNet: filled with v, twice the learning rate.
func CaffeBias(v float32) Bias { return Bias{Init: graph.Constant(v), LRScale: 2} }
