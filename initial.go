package tributary

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/interop"
	"github.com/tributary-ml/tributary/train"
)

// weights are initial values of parameters.
type weights = map[*graph.Param]*tensor.Dense

// initialise reads the weights from which a new run starts, if there are any, and fills in the open
// settings of the network's input.
func (r *Run) initialise(p *Parts) (weights, error) {
	c, info := r.Config, p.Data.Train.Info()
	var first weights
	var said *inception.Input
	if c.Init != "" {
		var err error
		said = &inception.Input{}
		var notes []string
		if first, notes, err = readInitial(c, p.Model, said); err != nil {
			return nil, err
		}
		r.options.Note(notes...)
	}
	return first, c.ResolveInput(said, info, c.ImageSize, c.ImageSize)
}

// readInitial reads the weights from which a run starts: a safetensors file with torchvision's or
// timm's names, or a checkpoint, whose moving averages it uses if it has them. It leaves out
// classifiers with another number of classes; these are drawn. It fills in what the file says about
// the images that the weights expect. The notes say what was ignored.
func readInitial(c *train.Config, m *inception.Model, said *inception.Input) (weights, []string, error) {
	path, err := train.FindCheckpoint(c.Init, true)
	if err != nil {
		return nil, nil, fmt.Errorf("init: %w", err)
	}
	if err := train.Foreign(path); err != nil {
		return nil, nil, fmt.Errorf("init: %w", err)
	}
	f, err := interop.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("init: %w", err)
	}
	defer f.Close()
	if train.IsCheckpoint(f.Metadata) {
		return fromCheckpoint(path, c, m, said)
	}
	input, more, err := interop.ReadInput(f, c.Model)
	if err != nil {
		return nil, nil, fmt.Errorf("init: %w", err)
	}
	*said = input
	w, notes, err := interop.LoadFirst(f, m.Graph)
	if err != nil {
		return nil, nil, fmt.Errorf("init: %w", err)
	}
	notes = append(notes, more...)
	if f.Metadata[interop.InputOrientation] == "true" {
		notes = append(notes, orientationNote(f.Path, c)...)
	}
	return w, notes, nil
}

// orientationNote returns a note if a file's network was trained on turned images and the run's
// images are not turned.
func orientationNote(path string, c *train.Config) []string {
	if c.EXIFOrientation {
		return nil
	}
	return []string{path + " was trained on images that were turned as their EXIF says, those of this run are not: --exif-orientation turns them"}
}

func fromCheckpoint(path string, c *train.Config, m *inception.Model, said *inception.Input) (weights, []string, error) {
	ck, err := train.OpenCheckpoint(path)
	if err != nil {
		return nil, nil, err
	}
	defer ck.Close()
	w, notes, err := checkpointWeights(ck, m)
	if err == nil && len(w) == 0 {
		err = fmt.Errorf("init: checkpoint %s of network %s has nothing for %s", path, ck.Network, m.Graph.Name())
	}
	if err == nil {
		*said, err = ck.Expects()
	}
	if ck.Config.EXIFOrientation {
		notes = append(notes, orientationNote(path, c)...)
	}
	return w, notes, err
}

// checkpointWeights returns a checkpoint's weights for a network: the moving averages if it has
// them, otherwise the values.
func checkpointWeights(ck *train.Checkpoint, m *inception.Model) (weights, []string, error) {
	part, path := graph.Value, ck.Path
	if ck.Has(graph.Average) {
		part = graph.Average
	}
	w := weights{}
	names, first := ck.Names(), interop.FirstConvolution(m.Graph)
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
		if p == first {
			if fitted, note := interop.FitChannels(path, p, v); fitted != nil {
				v, notes = fitted, append(notes, note)
			}
		}
		if !slices.Equal([]int(v.Shape()), p.Dims) {
			notes = append(notes, fmt.Sprintf("%s in %s has dimensions %v, not %v: it is drawn anew", p.Name, path, v.Shape(), p.Dims))
			continue
		}
		w[p] = v
	}
	return w, notes, nil
}
