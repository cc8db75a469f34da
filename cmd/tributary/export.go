package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/internal/human"
	"github.com/tributary-ml/tributary/interop"
	"github.com/tributary-ml/tributary/train"
)

func newExport() *cobra.Command {
	var checkpoint, exits, out string
	cmd := &cobra.Command{
		Use:   "export --checkpoint RUN --out FILE",
		Short: "Write a trained network for other programs",
		Long: `Write a checkpoint's network, with the moving averages where it has them, in the
format that the name of --out ends in.

.onnx: a model for inference, for onnxruntime and others. It takes "images", float32
(N, channels, height, width), of which it expects (pixel/255 - mean)/std, and gives
the logits (N, classes) of main and of the heads in --exits, under their names.

.safetensors: the weights, with torchvision's or timm's names for the networks that
they have. Heads that are not in --exits are left out.

The file's metadata say what it is of: network, width, classes, image_size, channels,
mean and std, resize, crop and interpolation, exif_orientation, head_specs as --heads
takes them, and the exits with the places that they read.`,
		Example: `  tributary export --checkpoint last --out model.onnx
  tributary export --checkpoint runs/NAME --exits aux2 --out model.onnx
  tributary export --checkpoint runs/NAME --out model.safetensors
  tributary export --checkpoint runs/NAME --exits main --out model.safetensors`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runExport(cmd, checkpoint, exits, out) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&checkpoint, "checkpoint", "", "`run` to export: its folder, for its best checkpoint, a .ckpt file, or last")
	fs.StringVar(&exits, "exits", "", "`heads` to keep besides main, with commas between; empty: all, in .onnx none")
	fs.StringVar(&out, "out", "", "`file` to write, .onnx or .safetensors")
	cmd.MarkFlagFilename("out", "onnx", "safetensors")
	return cmd
}

func runExport(cmd *cobra.Command, checkpoint, exits, out string) error {
	if out == "" {
		return usageError{errors.New("export: name the file to write with --out, such as --out model.onnx or --out model.safetensors")}
	}
	save := interop.Save
	switch strings.ToLower(filepath.Ext(out)) {
	case ".safetensors":
	case ".onnx":
		save = interop.SaveONNX
		exits = cmp.Or(exits, auxhead.Main)
	default:
		return usageError{fmt.Errorf("export: --out %s: the name says which format to write: it ends in .onnx or .safetensors", out)}
	}
	ck, err := openCheckpoint(cmd, checkpoint)
	if err != nil {
		return err
	}
	defer ck.Close()
	c := ck.Config
	if err := check(&c); err != nil {
		return err
	}
	whole, err := modelOf(ck, &c)
	if err != nil {
		return err
	}
	specs, err := chosenHeads(whole, exitNames(exits))
	if err != nil {
		return err
	}
	m, err := buildWith(&c, whole.Config.Classes, whole.Config.Channels, specs)
	if err != nil {
		return err
	}
	meta, err := exportMetadata(ck, &c, m)
	if err != nil {
		return err
	}
	err = withWeights(ck, m, func(s graph.State) error { return save(out, s, graph.Value, meta) })
	if err != nil {
		return err
	}
	names := []string{auxhead.Main}
	for _, h := range m.Heads {
		names = append(names, h.Name)
	}
	printf(cmd.OutOrStdout(), "%s: %s, %s parameters, exits %s", out, ck.Network, human.Thousands(m.Parameters()), strings.Join(names, " "))
	if left := whole.Parameters() - m.Parameters(); left > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "; left out: %s parameters of other heads", human.Thousands(left))
	}
	fmt.Fprintln(cmd.OutOrStdout())
	return nil
}

// chosenHeads are the specs of a network's heads of some names; nil means all. Main is always there, and may be named.
func chosenHeads(m *inception.Model, names []string) ([]auxhead.Spec, error) {
	specs, known := []auxhead.Spec{}, []string{auxhead.Main}
	for _, h := range m.Heads {
		known = append(known, h.Name)
		if names == nil || slices.Contains(names, h.Name) {
			specs = append(specs, auxhead.Spec{At: h.At, Kind: h.Kind, Weight: h.Weight, Name: h.Name})
		}
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, fmt.Errorf("--exits: %w", &graph.UnknownError{What: "head of " + m.Graph.Name(), Name: n, Nearest: graph.Nearest(n, known, 3)})
		}
	}
	return specs, nil
}

// exportMetadata says what a file's weights are of. The network's name and the names of the heads' tensors come with Save.
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
	exits = append(exits, exit{Name: auxhead.Main})
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

// withWeights calls f with a state that has the parameters of a network from a checkpoint.
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
