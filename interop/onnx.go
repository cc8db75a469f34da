package interop

import (
	"fmt"
	"slices"

	"github.com/tributary-ml/tributary/graph"
)

// SaveONNX writes a network as an ONNX model for inference (opset 17, float32). Its weights are a
// part of a state: graph.Value, or graph.Average for the moving averages.
//
// The model's input "images" is (N, C, H, W) with free N. Its pixels are normalised as in training:
// (pixel/255 - mean)/std. Its outputs are the logits (N, classes) of the graph's heads, with the
// heads' names, the main head first. To leave heads out of the file, build the graph without them.
// Initializers have the names of Save's tensors, and nodes those of the graph. The metadata are
// those of Save.
//
// The file appears whole or not at all. An operation that ONNX cannot express is an error that
// names the node.
func SaveONNX(path string, s graph.State, part graph.Part, extra map[string]string) error {
	g := s.Layout().Graph
	names, err := weightNames(g, part)
	if err != nil {
		return err
	}
	x := &onnxExport{names: names, state: s, part: part, readers: map[*graph.Node][]*graph.Node{}, made: map[*graph.Node]onnxValue{}}
	if err := x.all(g); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	x.model.metadata = metadata(g, names, extra)
	return writeWhole(path, x.model.write)
}

// onnxInput is the name of the model's input.
const onnxInput = "images"

// onnxExport translates a graph node by node.
type onnxExport struct {
	names   *Names
	state   graph.State
	part    graph.Part
	readers map[*graph.Node][]*graph.Node // one entry for each edge
	outputs map[*graph.Node]bool
	made    map[*graph.Node]onnxValue
	model   onnxModel
}

// onnxValue is the ONNX value of a node's output. It is (N, C, H, W), or (N, C) if flat.
type onnxValue struct {
	name string
	flat bool
}

func (x *onnxExport) all(g *graph.Graph) error {
	x.outputs = map[*graph.Node]bool{}
	reserved := []string{onnxInput}
	var logits []*graph.Node
	for _, l := range g.Losses() {
		reserved = append(reserved, l.Name)
		logits = append(logits, l.Logits)
		x.outputs[l.Logits] = true
	}
	for _, n := range g.Nodes() {
		if slices.Contains(reserved, n.Name()) {
			return fmt.Errorf("the network has a node of the name %s, which is that of an input or output of the file: rename it", n.Name())
		}
	}
	needed := graph.Ancestors(logits...)
	for _, n := range g.Nodes() {
		if needed[n] {
			for _, in := range n.Inputs() {
				x.readers[in] = append(x.readers[in], n)
			}
		}
	}
	for _, n := range g.Nodes() {
		if _, done := x.made[n]; done || !needed[n] {
			continue
		}
		if err := x.node(n); err != nil {
			return &graph.NodeError{Node: n.Name(), Kind: n.Op().Kind(), Err: err}
		}
	}
	for _, l := range g.Losses() {
		v := x.made[l.Logits]
		if !v.flat {
			x.emit("Flatten", l.Name+"/flatten", l.Name, []string{v.name})
		} else {
			x.emit("Identity", l.Name+"/identity", l.Name, []string{v.name})
		}
		x.model.outputs = append(x.model.outputs, onnxTensorType{l.Name, []int{-1, l.Logits.Shape().C}})
	}
	return nil
}

// node adds the operators that compute a node's output.
func (x *onnxExport) node(n *graph.Node) error {
	switch o := n.Op().(type) {
	case graph.Input:
		x.model.input = onnxTensorType{onnxInput, []int{-1, o.Shape.C, o.Shape.H, o.Shape.W}}
		x.made[n] = onnxValue{name: onnxInput}
	case graph.Dropout:
		x.made[n] = x.made[n.Inputs()[0]]
	case graph.Conv:
		return x.product(n, "Conv", x.spatial(n, 0), window(o.Window, n)...)
	case graph.Linear:
		in := x.made[n.Inputs()[0]]
		if !in.flat {
			in.name = x.emit("Flatten", n.Name()+"/flatten", "", []string{in.name})
		}
		return x.product(n, "Gemm", in.name, onnxAttribute{"transB", 1})
	case graph.AddBias:
		bias, err := x.weights(n)
		if err != nil {
			return err
		}
		if !x.made[n.Inputs()[0]].flat {
			bias[0] = x.emit("Unsqueeze", n.Name()+"/unsqueeze", "", []string{bias[0], x.integers(n.Name()+"/axes", 1, 2)})
		}
		x.pointwise(n, "Add", bias)
	case graph.BatchNorm:
		p, err := x.weights(n)
		if err != nil {
			return err
		}
		x.pointwise(n, "BatchNormalization", p, onnxAttribute{"epsilon", float32(o.Eps)})
	case graph.ReLU:
		x.pointwise(n, "Relu", nil)
	case graph.Scale:
		x.pointwise(n, "Mul", []string{x.floats(n.Name()+"/factor", nil, float32(o.Factor))})
	case graph.LRN:
		x.make(n, "LRN", x.spatial(n, 0), onnxAttribute{"size", o.Size}, onnxAttribute{"alpha", float32(o.Alpha)},
			onnxAttribute{"beta", float32(o.Beta)}, onnxAttribute{"bias", float32(o.K)})
	case graph.MaxPool:
		x.make(n, "MaxPool", x.spatial(n, 0), window(o.Window, n)...)
	case graph.AvgPool:
		x.avgPool(n, o)
	case graph.AdaptiveAvgPool:
		x.adaptiveAvgPool(n, o)
	case graph.Concat:
		x.made[n] = onnxValue{name: x.emit("Concat", n.Name(), "", x.allSpatial(n), onnxAttribute{"axis", 1})}
	case graph.Add:
		x.made[n] = onnxValue{name: x.emit("Sum", n.Name(), "", x.allSpatial(n))}
	default:
		return fmt.Errorf("there is no ONNX operator for this: teach interop/onnx.go")
	}
	return nil
}

// emit adds an operator with one output and returns the output's name, which is the operator's name
// if output is empty.
func (x *onnxExport) emit(kind, name, output string, inputs []string, attributes ...onnxAttribute) string {
	if output == "" {
		output = name
	}
	x.model.nodes = append(x.model.nodes, onnxNode{kind, name, inputs, output, attributes})
	return output
}

// make is emit for a node with one input, where input and output are images.
func (x *onnxExport) make(n *graph.Node, kind, input string, attributes ...onnxAttribute) {
	x.made[n] = onnxValue{name: x.emit(kind, n.Name(), "", []string{input}, attributes...)}
}

// pointwise is emit for a node with one input and some constants, whose output has the form of its
// input.
func (x *onnxExport) pointwise(n *graph.Node, kind string, constants []string, attributes ...onnxAttribute) {
	in := x.made[n.Inputs()[0]]
	x.made[n] = onnxValue{x.emit(kind, n.Name(), "", append([]string{in.name}, constants...), attributes...), in.flat}
}

// spatial returns an input of a node as (N, C, H, W).
func (x *onnxExport) spatial(n *graph.Node, i int) string {
	v := x.made[n.Inputs()[i]]
	if !v.flat {
		return v.name
	}
	name := fmt.Sprintf("%s/unsqueeze%d", n.Name(), i)
	return x.emit("Unsqueeze", name, "", []string{v.name, x.integers(name+"/axes", 2, 3)})
}

func (x *onnxExport) allSpatial(n *graph.Node) (all []string) {
	for i := range n.Inputs() {
		all = append(all, x.spatial(n, i))
	}
	return all
}

// product adds a convolution or a linear layer, together with the bias if only the bias reads it.
func (x *onnxExport) product(n *graph.Node, kind, input string, attributes ...onnxAttribute) error {
	inputs, err := x.weights(n)
	if err != nil {
		return err
	}
	v := onnxValue{n.Name(), kind == "Gemm"}
	x.made[n] = v
	if r := x.readers[n]; len(r) == 1 && !x.outputs[n] {
		if _, ok := r[0].Op().(graph.AddBias); ok {
			bias, err := x.weights(r[0])
			if err != nil {
				return err
			}
			inputs = append(inputs, bias...)
			v.name = r[0].Name()
			x.made[r[0]] = v
		}
	}
	x.emit(kind, n.Name(), v.name, append([]string{input}, inputs...), attributes...)
	return nil
}

// weights adds the parameters of a node as initializers.
func (x *onnxExport) weights(n *graph.Node) (all []string, err error) {
	for _, p := range n.Params() {
		name, _ := x.names.Of(p)
		t, err := name.get(x.state, x.part)
		if err != nil {
			return nil, err
		}
		if d, ok := t.Data.([]float64); ok {
			narrow := make([]float32, len(d))
			for i, v := range d {
				narrow[i] = float32(v)
			}
			t.Data = narrow
		}
		x.model.initializers = append(x.model.initializers, t)
		all = append(all, t.Name)
	}
	return all, nil
}

func (x *onnxExport) floats(name string, shape []int, v ...float32) string {
	x.model.initializers = append(x.model.initializers, Tensor{name, shape, v})
	return name
}

func (x *onnxExport) integers(name string, v ...int64) string {
	x.model.initializers = append(x.model.initializers, Tensor{name, []int{len(v)}, v})
	return name
}

// window returns the geometry of a convolution or a pooling. The padding after the image is what
// the last window needs, which also covers ceil mode.
func window(w graph.Window, n *graph.Node) []onnxAttribute {
	in, out := n.Inputs()[0].Shape(), n.Shape()
	return []onnxAttribute{{"kernel_shape", []int{w.H, w.W}}, {"strides", []int{w.StrideH, w.StrideW}},
		{"pads", []int{w.Top, w.Left, behind(in.H, out.H, w.H, w.StrideH, w.Top), behind(in.W, out.W, w.W, w.StrideW, w.Left)}}}
}

func behind(in, out, taps, stride, before int) int { return max(0, (out-1)*stride+taps-in-before) }

// avgPool adds an average pooling. If windows extend past the padding, padding that counts is added
// as a separate operator, because the part past the padding must not count.
func (x *onnxExport) avgPool(n *graph.Node, o graph.AvgPool) {
	input, w := x.spatial(n, 0), o.Window
	in, out := n.Inputs()[0].Shape(), n.Shape()
	over := behind(in.H, out.H, w.H, w.StrideH, w.Top) > w.Bottom || behind(in.W, out.W, w.W, w.StrideW, w.Left) > w.Right
	count := 0
	if o.IncludePad {
		count = 1
	}
	a := window(w, n)
	if o.IncludePad && over {
		pads := x.integers(n.Name()+"/pads", 0, 0, int64(w.Top), int64(w.Left), 0, 0, int64(w.Bottom), int64(w.Right))
		input = x.emit("Pad", n.Name()+"/pad", "", []string{input, pads})
		a[2].value = []int{0, 0, behind(in.H+w.Top+w.Bottom, out.H, w.H, w.StrideH, 0), behind(in.W+w.Left+w.Right, out.W, w.W, w.StrideW, 0)}
		count = 0
	}
	x.make(n, "AveragePool", input, append(a, onnxAttribute{"count_include_pad", count})...)
}

// adaptiveAvgPool adds an average over bins. Bins of equal size are an ordinary pooling. Others are
// the product A·X·B, where A is (bins, height) and B (width, bins).
func (x *onnxExport) adaptiveAvgPool(n *graph.Node, o graph.AdaptiveAvgPool) {
	input, in := x.spatial(n, 0), n.Inputs()[0].Shape()
	switch {
	case o.H == 1 && o.W == 1:
		x.make(n, "GlobalAveragePool", input)
	case in.H%o.H == 0 && in.W%o.W == 0:
		bin := []int{in.H / o.H, in.W / o.W}
		x.make(n, "AveragePool", input, onnxAttribute{"kernel_shape", bin}, onnxAttribute{"strides", bin})
	default:
		cols := make([]float32, in.W*o.W)
		for bin, part := range bins(in.W, o.W) {
			for i, v := range part {
				cols[i*o.W+bin] = v
			}
		}
		a := x.floats(n.Name()+"/rows", []int{o.H, in.H}, slices.Concat(bins(in.H, o.H)...)...)
		b := x.floats(n.Name()+"/cols", []int{in.W, o.W}, cols...)
		x.made[n] = onnxValue{name: x.emit("MatMul", n.Name(), "", []string{a, x.emit("MatMul", n.Name()+"/product", "", []string{input, b})})}
	}
}

// bins returns the weight of each element of an axis in the mean of each bin
// (graph.AdaptiveAvgPool).
func bins(size, n int) [][]float32 {
	all := make([][]float32, n)
	for i := range all {
		all[i] = make([]float32, size)
		from, to := i*size/n, ((i+1)*size+n-1)/n
		for j := from; j < to; j++ {
			all[i][j] = 1 / float32(to-from)
		}
	}
	return all
}
