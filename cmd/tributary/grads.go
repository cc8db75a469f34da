package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"gorgonia.org/tensor"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/interop"
	"github.com/tributary-ml/tributary/train"
)

// gradsFlags are the flags of grads that are not settings.
type gradsFlags struct {
	weights, batch, headWeights, dropout, out string
}

func newGrads() *cobra.Command {
	var f gradsFlags
	cmd := &cobra.Command{
		Use:   "grads --model NAME --weights FILE --batch FILE --out FILE",
		Short: "Write the gradients of one training step, to compare with PyTorch",
		Long: `Run one training-mode step and write every parameter's gradient under its name in
torchvision or timm, with loss.NAME and logits.NAME for every head, and loss.total.

Weights have these names, too (filters OIHW). The batch has images (N, 3, H, W,
float32), which are taken as they are, and labels (N, int64). googlenet's aux1 sits
on 4a, its aux2 on 4d; the later networks' head is called aux. Dropout is off.`,
		Example: `  tributary grads --model googlenet --weights w.safetensors --batch b.safetensors \
    --head-weights aux1=0.3,aux2=0.3 --precision fp64 --out g.safetensors`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runGrads(cmd, f) },
	}
	fs := newFlagSet("files")
	fs.StringVar(&f.weights, "weights", "", "weights, a safetensors `file` with torchvision's or timm's names")
	fs.StringVar(&f.batch, "batch", "", "images and labels, a safetensors `file`")
	fs.StringVar(&f.out, "out", "", "gradients, a safetensors `file` to write")
	fs.StringVar(&f.headWeights, "head-weights", "", "`NAME=WEIGHT,…` of the heads' losses; others keep the network's")
	fs.StringVar(&f.dropout, "dropout", "off", "`on` keeps dropout, with the masks of --seed")
	cmd.Flags().AddFlagSet(fs)
	for _, name := range []string{"weights", "batch", "out"} {
		cmd.MarkFlagFilename(name, "safetensors")
	}
	cmd.RegisterFlagCompletionFunc("dropout", cobra.FixedCompletions([]string{"on", "off"}, cobra.ShellCompDirectiveNoFileComp))
	c := train.Default()
	keys := map[string]bool{"model": true, "heads": true, "precision": true, "device": true, "threads": true, "seed": true, "width": true}
	groups := addSettings(cmd, c.Settings(), func(s train.Setting) bool { return keys[s.Key] })
	groupedUsage(cmd, append([]flagGroup{{"Files", fs}}, groups...))
	return cmd
}

func (f gradsFlags) check(cmd *cobra.Command) error {
	for _, x := range []struct{ name, value string }{{"model", cmd.Flag("model").Value.String()}, {"weights", f.weights}, {"batch", f.batch}, {"out", f.out}} {
		if x.value == "" || !cmd.Flags().Changed(x.name) {
			return usageError{fmt.Errorf("grads: --%s is missing; see %s --help", x.name, cmd.CommandPath())}
		}
	}
	if f.dropout != "on" && f.dropout != "off" {
		return usageError{&train.ValueError{Key: "dropout", Value: f.dropout, Allowed: "it is on or off"}}
	}
	return nil
}

func runGrads(cmd *cobra.Command, f gradsFlags) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	c, err := readConfig(cmd, "")
	if err != nil {
		return err
	}
	batch, err := interop.ReadBatchFile(f.batch)
	if err != nil {
		return err
	}
	m, err := modelForFile(c, f.weights, batch.Shape)
	if err != nil {
		return err
	}
	values, notes, err := interop.LoadFile(f.weights, m.Graph)
	if err != nil {
		return err
	}
	printNotes(cmd, notes)
	headWeights, err := auxhead.ParseWeights(f.headWeights, m.Graph.Losses())
	if err != nil {
		return err
	}
	b, err := tributary.OpenDevice(c, 0)
	if err != nil {
		return err
	}
	defer b.Close()
	s, p, err := gradsProgram(m, b, values, c.Seed, graph.Options{Batch: batch.N, Training: true, NoDropout: f.dropout == "off", Target: b.Target()})
	if err != nil {
		return err
	}
	defer s.Close()
	defer p.Close()
	feed := &graph.Feed{Images: batch.Images, Labels: batch.Labels, Seed: c.Seed, HeadWeights: headWeights}
	if err := p.Run(cmd.Context(), feed); err != nil {
		return err
	}
	return writeGrads(cmd.OutOrStdout(), f.out, s, p)
}

// modelForFile builds a network for the images of a batch and the classes of a weights file.
func modelForFile(c *train.Config, weights string, images graph.Shape) (*inception.Model, error) {
	heads, err := new(tributary.Options).HeadSpecs(c)
	if err != nil {
		return nil, err
	}
	f, err := interop.Open(weights)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Unwrap(); err != nil {
		return nil, err
	}
	config := inception.Config{Height: images.H, Width: images.W, Channels: images.C, WidthMultiplier: c.Width, Heads: heads}
	m, err := inception.Build(c.Model, config)
	if err != nil {
		return nil, err
	}
	if config.Classes, err = fileClasses(f, m.Graph); err != nil {
		return nil, err
	}
	return inception.Build(c.Model, config)
}

// fileClasses returns the number of classes of the main classifier in a weights file.
func fileClasses(f *interop.File, g *graph.Graph) (int, error) {
	names, err := interop.NewNames(g)
	if err != nil {
		return 0, err
	}
	for n := g.MainLoss().Logits; ; n = n.Inputs()[0] {
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

// gradsProgram sets the values of a network's parameters (parameters that the file lacks are drawn)
// and loads a plan.
func gradsProgram(m *inception.Model, b graph.Backend, values interop.Values, seed uint64, o graph.Options) (graph.State, graph.Program, error) {
	layout, err := graph.NewLayout(m.Graph)
	if err != nil {
		return nil, nil, err
	}
	plan, err := graph.Compile(m.Graph, layout, o)
	if err != nil {
		return nil, nil, err
	}
	s, err := b.NewState(layout, graph.StateOptions{})
	if err != nil {
		return nil, nil, err
	}
	for _, p := range layout.Params {
		if _, ok := values[p]; !ok {
			values[p] = tensor.New(tensor.WithShape(p.Dims...), tensor.WithBacking(p.Initial(seed)))
		}
	}
	err = values.Set(s, graph.Value)
	var p graph.Program
	if err == nil {
		p, err = b.Load(plan, s)
	}
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, p, nil
}

// writeGrads writes the results of a program, and prints the losses.
func writeGrads(out io.Writer, path string, s graph.State, p graph.Program) error {
	tensors, err := interop.Gradients(s)
	if err != nil {
		return err
	}
	results, err := interop.Results(p)
	if err != nil {
		return err
	}
	if err := interop.WriteFile(path, append(tensors, results...), map[string]string{"network": p.Plan().Graph.Name()}); err != nil {
		return err
	}
	metrics, err := p.Metrics()
	if err != nil {
		return err
	}
	for _, h := range metrics.Heads {
		fmt.Fprintf(out, "loss.%-8s %.9g  weight %v\n", h.Name, h.Loss, h.Weight)
	}
	printf(out, "loss.%-8s %.9g\n%d gradients written to %s\n", "total", metrics.Total, len(tensors), path)
	return nil
}
