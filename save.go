package tributary

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/interop"
	"github.com/tributary-ml/tributary/train"
)

// formats are the formats of a saved network, by the ending of the file's name.
var formats = map[string]func(string, graph.State, graph.Part, map[string]string) error{
	".safetensors": interop.Save, ".onnx": interop.SaveONNX,
}

// FileEndings returns the endings of names that Classifier.Save accepts.
func FileEndings() []string { return slices.Sorted(maps.Keys(formats)) }

// Save writes the network to a file. It uses the moving averages if the checkpoint has them,
// otherwise the values. The path's ending determines the format: safetensors with torchvision's or
// timm's names, or ONNX. exits are the heads to save with the main one: nil means all for
// safetensors, and none for ONNX. Save returns the network that it saved. The file appears whole or
// not at all.
func (c *Classifier) Save(path string, exits []string) (*inception.Model, error) {
	ending := strings.ToLower(filepath.Ext(path))
	save, ok := formats[ending]
	if !ok {
		return nil, configError(fmt.Errorf("%s: the name says which format to write: it ends in %s", path, strings.Join(FileEndings(), " or ")))
	}
	if exits == nil && ending == ".onnx" {
		exits = []string{c.Model.Graph.MainLoss().Name}
	}
	specs, err := chosenHeads(c.Model, exits)
	if err != nil {
		return nil, err
	}
	m, err := c.options.buildWith(&c.Config, c.Model.Config.Classes, c.Model.Config.Channels, specs)
	if err != nil {
		return nil, err
	}
	meta, err := exportMetadata(c.Checkpoint, &c.Config, m)
	if err != nil {
		return nil, err
	}
	return m, withWeights(c.Checkpoint, m, func(s graph.State) error { return save(path, s, graph.Value, meta) })
}

// chosenHeads returns the specs of a network's named heads; nil names mean all heads. The main head
// is always included, and may be named.
func chosenHeads(m *inception.Model, names []string) ([]auxhead.Spec, error) {
	specs, known := []auxhead.Spec{}, []string{m.Graph.MainLoss().Name}
	for _, h := range m.Heads {
		known = append(known, h.Name)
		if names == nil || slices.Contains(names, h.Name) {
			specs = append(specs, auxhead.Spec{At: h.At, Kind: h.Kind, Weight: h.Weight, Name: h.Name, Build: h.Build})
		}
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, configError(fmt.Errorf("exits: %w", &graph.UnknownError{What: "head of " + m.Graph.Name(), Name: n, Nearest: graph.Nearest(n, known, 3)}))
		}
	}
	return specs, nil
}

// exportMetadata returns metadata that describe a file's weights. Save adds the network's name and
// the prefixes of the heads' tensors.
func exportMetadata(ck *train.Checkpoint, c *train.Config, m *inception.Model) (map[string]string, error) {
	type exit struct {
		Name string `json:"name"`
		At   string `json:"at,omitempty"`
		Kind string `json:"kind,omitempty"`
	}
	var exits []exit
	for _, h := range m.Heads {
		exits = append(exits, exit{h.Name, h.At, h.Kind})
	}
	exits = append(exits, exit{Name: m.Graph.MainLoss().Name})
	in, err := ck.Input(c.ImageSize, c.ImageSize)
	if err != nil {
		return nil, err
	}
	meta := map[string]string{interop.InputSize: strconv.Itoa(c.ImageSize), "channels": strconv.Itoa(m.Config.Channels),
		interop.InputResize: in.Resize(), interop.InputInterpolation: in.Fit.Interpolation.Name,
		interop.InputOrientation: strconv.FormatBool(in.Orientation),
		"width":                  strconv.FormatFloat(c.Width, 'g', -1, 64), "head_specs": auxhead.Format(m.Config.Heads)}
	for key, value := range map[string]any{"classes": ck.Data.Classes, interop.InputMean: in.Normalization.Mean, interop.InputStd: in.Normalization.Std, "exits": exits} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		meta[key] = string(text)
	}
	if !ck.Config.Crop.IsAuto() {
		meta[interop.InputCrop] = ck.Config.Crop.String()
	}
	return meta, nil
}

// withWeights calls f with a state that has a checkpoint's parameters for a network.
func withWeights(ck *train.Checkpoint, m *inception.Model, f func(graph.State) error) error {
	w, notes, err := checkpointWeights(ck, m)
	if err != nil {
		return err
	}
	if len(notes) > 0 {
		return errors.New(notes[0])
	}
	b, err := cpu.New(cpu.Options{})
	if err != nil {
		return err
	}
	defer b.Close()
	l, err := graph.NewLayout(m.Graph)
	if err != nil {
		return err
	}
	s, err := b.NewState(l, graph.StateOptions{})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := interop.Values(w).Set(s, graph.Value); err != nil {
		return err
	}
	return f(s)
}
