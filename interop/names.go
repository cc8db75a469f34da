package interop

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/graph"
)

// dialect describes how a network's names differ from the plain rule, by which slashes become dots.
type dialect struct {
	roots   map[string]string            // by the first part of a name: heads and modules
	units   map[string]string            // by the part of a name after the module: tower and unit
	modules map[string]map[string]string // units of modules with different ones, by the first part of a name
}

// dialects is the table of dialects by network. torchvision has no file format for the Caffe
// network; it gets the names that torchvision's GoogLeNet would have
// (inception4a.branch3.1.conv.weight and .bias). A network without a line follows the plain rule:
// inception3a.tower3x3.reduce.conv.weight.
var dialects = map[string]dialect{
	"googlenet":           {units: googlenetUnits},
	"googlenet2014":       {units: googlenetUnits},
	"inception_v3":        {roots: map[string]string{"aux": "AuxLogits"}, units: inceptionV3Units},
	"inception_v4":        inceptionV4Names(),
	"inception_resnet_v2": inceptionResNetV2Names(),
}

// googlenetUnits are the units of torchvision.models.googlenet.Inception. The second convolution of
// its branch3 is 3×3; the paper's is 5×5.
var googlenetUnits = map[string]string{
	"tower1x1":        "branch1",
	"tower3x3/reduce": "branch2.0",
	"tower3x3/3x3":    "branch2.1",
	"tower5x5/reduce": "branch3.0",
	"tower5x5/3x3":    "branch3.1",
	"tower5x5/5x5":    "branch3.1",
	"towerpool/proj":  "branch4.1",
}

// inceptionV3Units are the units of torchvision.models.inception.InceptionA to InceptionE. Every
// name has one meaning.
var inceptionV3Units = map[string]string{
	"tower1x1":           "branch1x1",
	"tower3x3":           "branch3x3", // B
	"tower3x3/reduce":    "branch3x3_1",
	"tower3x3/3x3":       "branch3x3_2", // D
	"tower3x3/1x3":       "branch3x3_2a",
	"tower3x3/3x1":       "branch3x3_2b",
	"tower5x5/reduce":    "branch5x5_1",
	"tower5x5/5x5":       "branch5x5_2",
	"tower3x3dbl/reduce": "branch3x3dbl_1",
	"tower3x3dbl/3x3a":   "branch3x3dbl_2", // A, B
	"tower3x3dbl/3x3b":   "branch3x3dbl_3",
	"tower3x3dbl/3x3":    "branch3x3dbl_2", // E
	"tower3x3dbl/1x3":    "branch3x3dbl_3a",
	"tower3x3dbl/3x1":    "branch3x3dbl_3b",
	"tower7x7/reduce":    "branch7x7_1",
	"tower7x7/1x7":       "branch7x7_2",
	"tower7x7/7x1":       "branch7x7_3",
	"tower7x7dbl/reduce": "branch7x7dbl_1",
	"tower7x7dbl/7x1a":   "branch7x7dbl_2",
	"tower7x7dbl/1x7a":   "branch7x7dbl_3",
	"tower7x7dbl/7x1b":   "branch7x7dbl_4",
	"tower7x7dbl/1x7b":   "branch7x7dbl_5",
	"tower7x7x3/reduce":  "branch7x7x3_1",
	"tower7x7x3/1x7":     "branch7x7x3_2",
	"tower7x7x3/7x1":     "branch7x7x3_3",
	"tower7x7x3/3x3":     "branch7x7x3_4",
	"towerpool/proj":     "branch_pool",
}

// roles are PyTorch's names for the parameters of a module.
var roles = map[graph.Role]string{
	graph.Weight: "weight", graph.Bias: "bias", graph.Gamma: "weight", graph.Beta: "bias",
	graph.RunningMean: "running_mean", graph.RunningVar: "running_var",
}

// Name is a parameter with its name in files.
type Name struct {
	File  string // such as inception4a.branch2.0.conv.weight
	Param *graph.Param
	Node  *graph.Node // the node that has the parameter
}

// Linear reports whether the parameter is the weight of a fully connected layer, which is
// two-dimensional in files.
func (n Name) Linear() bool {
	_, ok := n.Node.Op().(graph.Linear)
	return ok
}

// Names is the bijection between a graph's parameters and their names in files. For googlenet and
// inception_v3 the names are those of torchvision's state_dict.
type Names struct {
	all    []Name
	byFile map[string]int
	byNode map[*graph.Param]int
	dialect
}

// NewNames returns the names of a graph's parameters. It returns an error if two parameters have
// the same name, which only custom heads can cause.
func NewNames(g *graph.Graph) (*Names, error) {
	n := &Names{byFile: map[string]int{}, byNode: map[*graph.Param]int{}, dialect: dialects[g.Name()]}
	for _, node := range g.Nodes() {
		for _, p := range node.Params() {
			name := n.unit(node) + "." + roles[p.Role]
			if i, twice := n.byFile[name]; twice {
				return nil, fmt.Errorf("parameters %s and %s would both be called %s in a file: rename the node %s", n.all[i].Param.Name, p.Name, name, node.Name())
			}
			n.byFile[name], n.byNode[p] = len(n.all), len(n.all)
			n.all = append(n.all, Name{name, p, node})
		}
	}
	return n, nil
}

// unit returns the name in files of the PyTorch module that has a node's parameters. A linear layer
// is NAME, a convolution NAME.conv, and a bias belongs to the node before it.
func (d dialect) unit(n *graph.Node) string {
	path, last := cutLast(n.Name())
	switch n.Op().(type) {
	case graph.Linear:
		if last == "linear" {
			return d.translate(path)
		}
	case graph.AddBias:
		if in := n.Inputs()[0]; last == "bias" && len(in.Params()) == 1 && strings.HasPrefix(in.Name(), path+"/") {
			return d.unit(in)
		}
	}
	if path == "" {
		return d.translate(n.Name())
	}
	return d.translate(path) + "." + last
}

// translate converts the path of a unit to its name in files.
func (d dialect) translate(path string) string {
	root, rest, nested := strings.Cut(path, "/")
	units := d.units
	if own, ok := d.modules[root]; ok {
		units = own
	}
	if r, ok := d.roots[root]; ok {
		root = r
	}
	if !nested {
		return root
	}
	if u, ok := units[rest]; ok {
		return root + "." + u
	}
	return root + "." + strings.ReplaceAll(rest, "/", ".")
}

func cutLast(path string) (before, last string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// All returns the names in the order of the graph's parameters.
func (n *Names) All() []Name { return slices.Clone(n.all) }

// Of returns the name of a parameter, and false if the graph does not have it.
func (n *Names) Of(p *graph.Param) (Name, bool) {
	i, ok := n.byNode[p]
	if !ok {
		return Name{}, false
	}
	return n.all[i], true
}

// Find returns the parameter with the given name in files, or a *graph.UnknownError with the
// nearest names.
func (n *Names) Find(file string) (Name, error) {
	if i, ok := n.byFile[file]; ok {
		return n.all[i], nil
	}
	known := make([]string, len(n.all))
	for i, x := range n.all {
		known[i] = x.File
	}
	return Name{}, &graph.UnknownError{What: "parameter", Name: file, Nearest: graph.Nearest(file, known, 3)}
}

// Counters returns the names of PyTorch's num_batches_tracked, one for each batch normalisation.
// Files have them, but Tributary does not use them.
func (n *Names) Counters() []string {
	var out []string
	for _, x := range n.all {
		if x.Param.Role == graph.RunningMean {
			out = append(out, strings.TrimSuffix(x.File, "running_mean")+counter)
		}
	}
	return out
}

const counter = "num_batches_tracked"

// Head returns the prefix of the names of a head's tensors, such as "aux1." or "AuxLogits.".
func (n *Names) Head(head string) string { return n.translate(head) + "." }
