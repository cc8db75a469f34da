package main

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/interop"
	"github.com/tributary-ml/tributary/train"
)

// weights are first values of parameters.
type weights = map[*graph.Param]*tensor.Dense

// readInitial reads the weights that a run starts from: a safetensors file under torchvision's names, or a checkpoint, of
// which it takes the moving averages where it has them. Classifiers of another number of classes are drawn anew. Notes say
// what was passed over.
func readInitial(c *train.Config, m *inception.Model) (weights, []string, error) {
	path, err := train.FindCheckpoint(c.Init, true)
	if err != nil {
		return nil, nil, fmt.Errorf("--init: %w", err)
	}
	f, err := interop.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("--init: %w", err)
	}
	defer f.Close()
	if train.IsCheckpoint(f.Metadata) {
		return fromCheckpoint(path, m)
	}
	return fromWeights(f, c, m)
}

func fromCheckpoint(path string, m *inception.Model) (weights, []string, error) {
	ck, err := train.OpenCheckpoint(path)
	if err != nil {
		return nil, nil, err
	}
	defer ck.Close()
	w, notes, err := checkpointWeights(ck, m)
	if err == nil && len(w) == 0 {
		err = fmt.Errorf("--init: checkpoint %s of network %s has nothing for %s", path, ck.Network, m.Graph.Name())
	}
	return w, notes, err
}

// checkpointWeights are a checkpoint's weights for a network: the moving averages where it has them.
func checkpointWeights(ck *train.Checkpoint, m *inception.Model) (weights, []string, error) {
	part, path := graph.Value, ck.Path
	if ck.Has(graph.Average) {
		part = graph.Average
	}
	w := weights{}
	names := ck.Names()
	var notes []string
	for _, p := range m.Graph.Params() {
		if _, ok := slices.BinarySearch(names, p.Name); !ok {
			notes = append(notes, fmt.Sprintf("%s has no %s: it is drawn anew", path, p.Name))
			continue
		}
		v, err := ck.Tensor(part, p.Name)
		if err != nil {
			return nil, nil, err
		}
		if !slices.Equal([]int(v.Shape()), p.Dims) {
			notes = append(notes, fmt.Sprintf("%s in %s has dimensions %v, not %v: it is drawn anew", p.Name, path, v.Shape(), p.Dims))
			continue
		}
		w[p] = v
	}
	return w, notes, nil
}

// fromWeights loads a file into the network as it was for the file's number of classes, and takes over what fits.
func fromWeights(f *interop.File, c *train.Config, m *inception.Model) (weights, []string, error) {
	classes := m.Config.Classes
	if n, err := fileClasses(f, m.Graph); err == nil {
		classes = n
	}
	theirs, err := buildModel(c, classes, m.Config.Channels)
	if err != nil {
		return nil, nil, err
	}
	values, notes, err := interop.Load(f, theirs.Graph)
	if err != nil {
		return nil, nil, fmt.Errorf("--init: %w", err)
	}
	w := weights{}
	var anew []string
	for i, p := range m.Graph.Params() {
		v, ok := values[theirs.Graph.Params()[i]]
		switch {
		case !ok:
		case slices.Equal([]int(v.Shape()), p.Dims):
			w[p] = v
		default:
			anew = append(anew, p.Name)
		}
	}
	if anew != nil {
		notes = append(notes, fmt.Sprintf("%s tells %d classes apart, the data have %d: drawn anew are %s", f.Path, classes, m.Config.Classes, strings.Join(anew, ", ")))
	}
	return w, notes, nil
}

// fileClasses is the number of classes that the main classifier of a weights file tells apart.
func fileClasses(f *interop.File, g *graph.Graph) (int, error) {
	names, err := interop.NewNames(g)
	if err != nil {
		return 0, err
	}
	for n := g.Losses()[0].Logits; ; n = n.Inputs()[0] {
		for _, p := range n.Params() {
			name, _ := names.Of(p)
			info, err := f.Info(name.File)
			if err != nil {
				return 0, err
			}
			if len(info.Shape) > 0 {
				return info.Shape[0], nil
			}
		}
		if len(n.Inputs()) == 0 {
			return 0, fmt.Errorf("network %s has no classifier", g.Name())
		}
	}
}
