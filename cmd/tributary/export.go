package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/internal/human"
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
	if !slices.Contains(tributary.FileEndings(), strings.ToLower(filepath.Ext(out))) {
		return usageError{fmt.Errorf("export: --out %s: the name says which format to write: it ends in .onnx or .safetensors", out)}
	}
	var f runFlags
	c, err := f.load(cmd, checkpoint, func(train.Event) {})
	if err != nil {
		return err
	}
	defer c.Close()
	m, err := c.Save(out, exitNames(exits))
	if err != nil {
		return err
	}
	names := []string{m.Graph.MainLoss().Name}
	for _, h := range m.Heads {
		names = append(names, h.Name)
	}
	printf(cmd.OutOrStdout(), "%s: %s, %s parameters, exits %s", out, c.Checkpoint.Network, human.Thousands(m.Parameters()), strings.Join(names, " "))
	if left := c.Model.Parameters() - m.Parameters(); left > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "; left out: %s parameters of other heads", human.Thousands(left))
	}
	fmt.Fprintln(cmd.OutOrStdout())
	return nil
}
