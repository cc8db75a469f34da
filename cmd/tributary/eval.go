package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/train"
)

type evalFlags struct {
	checkpoint, data, heads string
	batch, threads, workers int
	skipBad                 bool
}

func newEval() *cobra.Command {
	var f evalFlags
	cmd := &cobra.Command{
		Use:   "eval --checkpoint RUN",
		Short: "Measure a trained network on test images",
		Long: `Measure the accuracy and the loss of a checkpoint's network, for every head, on
the test images of the data that it was trained on, or of others with the same
classes. Where the run kept moving averages, those are measured.`,
		Example: `  tributary eval --checkpoint runs/NAME
  tributary eval --checkpoint runs/NAME/checkpoints/last.ckpt --heads main
  tributary eval --checkpoint runs/NAME --data fashion-mnist`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runEval(cmd, f) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.checkpoint, "checkpoint", "", "`run` to measure: its folder, for its best checkpoint, or a .ckpt file")
	fs.StringVar(&f.data, "data", "", "data `set` to measure on; empty: the run's own")
	fs.StringVar(&f.heads, "heads", "all", "`heads` to measure: all, or main alone, without the others' work")
	fs.IntVar(&f.batch, "batch", 0, "`images` in a batch; 0: as many as in training")
	fs.IntVar(&f.threads, "threads", 0, "`threads` that compute; 0: one for each CPU")
	fs.IntVar(&f.workers, "workers", 0, "`goroutines` that read images; 0: one for each CPU")
	fs.BoolVar(&f.skipBad, "skip-bad", false, "go on without images that cannot be read")
	cmd.RegisterFlagCompletionFunc("heads", cobra.FixedCompletions([]string{"all", "main"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("data", cobra.FixedCompletions(dataset.Names(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runEval(cmd *cobra.Command, f evalFlags) error {
	if f.checkpoint == "" {
		return usageError{fmt.Errorf("eval: name a run with --checkpoint, such as --checkpoint runs/NAME")}
	}
	var heads []string
	switch f.heads {
	case "all":
	case auxhead.Main:
		heads = auxhead.Strip(graph.Options{}).Losses
	default:
		return usageError{&train.ValueError{Key: "heads", Value: f.heads, Allowed: "it is all or main"}}
	}
	path, err := train.FindCheckpoint(f.checkpoint, true)
	if err != nil {
		return usageError{fmt.Errorf("--checkpoint: %w", err)}
	}
	ck, err := train.OpenCheckpoint(path)
	if err != nil {
		return err
	}
	defer ck.Close()
	c := ck.Config
	c.Threads, c.Workers, c.SkipBad = f.threads, f.workers, f.skipBad
	if f.data != "" {
		c.Data = f.data
		c.Channels = len(ck.Data.Mean)
	}
	if f.batch != 0 {
		c.Batch = f.batch
	}
	if err := check(&c); err != nil {
		return err
	}
	p, err := open(cmd.Context(), &c)
	if err != nil {
		return err
	}
	defer p.backend.Close()
	d := newDisplay(cmd.OutOrStdout(), nil)
	e := train.Evaluation{Graph: p.model.Graph, Backend: p.backend, Test: p.data.Test, Checkpoint: ck, Config: c, Heads: heads, Report: d.report}
	r, err := e.Run(cmd.Context())
	d.clear()
	if err != nil {
		return err
	}
	printResult(cmd.OutOrStdout(), path, ck, p, r)
	return nil
}

func printResult(out io.Writer, path string, ck *train.Checkpoint, p *parts, r train.Result) {
	what := "weights"
	if ck.Has(graph.Average) {
		what = "moving averages"
	}
	fmt.Fprintf(out, "%s: %s after step %d, %s\n%s, %s images\n\n", path, ck.Network, ck.Progress.Step, what, p.data.Test.Info().Name, thousands(r.Images))
	fmt.Fprintf(out, "%-10s %9s %20s %20s\n", "head", "loss", "top 1", "top 5")
	for _, h := range r.Heads {
		share := func(hits int, v float64) string {
			return fmt.Sprintf("%.2f %% (%s)", 100*v, thousands(hits))
		}
		fmt.Fprintf(out, "%-10s %9.4f %20s %20s\n", h.Name, h.Loss, share(h.Hits1, h.Top1), share(h.Hits5, h.Top5))
	}
}
