package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/exits"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/human"
	"github.com/tributary-ml/tributary/train"
)

type evalFlags struct {
	checkpoint, data, part, heads, out string
	exits                              exitFlags
	run                                runFlags
}

func newEval() *cobra.Command {
	var f evalFlags
	cmd := &cobra.Command{
		Use:   "eval --checkpoint RUN",
		Short: "Measure a trained network on test images",
		Long: `Measure the accuracy and the loss of a checkpoint's network, for every head, on
the test images of the data that it was trained on, or of others whose classes
are among the run's: the output says of which. Where the run kept moving averages,
those are measured.

Of data with several parts, the test images are measured, or else those for
validation or for training, whichever there are; --part names another. Of folders
and archives without parts, all images are: but of the run's own data the tenth
that training held out.

With --early-exit, heads are exits: an image leaves at the first head, in order of
depth, that is sure enough of it, and the rest of the network does not see it.
  entropy=0.5      sure is an entropy below 0.5 (in nats: natural logarithm)
  confidence=0.9   sure is a largest probability above 0.9
  entropy=0.3/0.5  a threshold for each head
  curve            accuracy against computation for all thresholds (curve:confidence)
  budget=0.6       the most accurate threshold within 60 % of the network's
                   multiply-accumulates, chosen on one half of the images and
                   measured on the other (budget=0.6:confidence)`,
		Example: `  tributary eval --checkpoint last
  tributary eval --checkpoint runs/NAME/checkpoints/last.ckpt --heads main
  tributary eval --checkpoint runs/NAME --data fashion-mnist
  tributary eval --checkpoint runs/NAME --data folder:photos/test
  tributary eval --checkpoint runs/NAME --part val
  tributary eval --checkpoint runs/NAME --early-exit entropy=0.5
  tributary eval --checkpoint runs/NAME --early-exit curve --out curve.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runEval(cmd, f) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.checkpoint, "checkpoint", "", "`run` to measure: its folder, for its best checkpoint, a .ckpt file, or last")
	fs.StringVar(&f.data, "data", "", "data `set` to measure on; empty: the run's own")
	fs.StringVar(&f.part, "part", "", "`part` of the data to measure on: train, val or test; empty: test, or the first that there is of test, val and train")
	fs.StringVar(&f.heads, "heads", "all", "`heads` to measure: all, or main alone, without the others' work")
	f.exits.add(cmd, fs, "`rule` by which images leave early: entropy=T, confidence=T, curve or budget=SHARE")
	fs.StringVar(&f.out, "out", "", "write all points of --early-exit curve to a .csv, .json or .svg `file`")
	f.run.add(cmd, fs)
	cmd.RegisterFlagCompletionFunc("heads", cobra.FixedCompletions([]string{"all", "main"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("part", cobra.FixedCompletions(dataset.Parts(), cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("data", cobra.FixedCompletions(dataset.Names(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runEval(cmd *cobra.Command, f evalFlags) error {
	heads := func(*tributary.Classifier) []string { return nil }
	switch f.heads {
	case "all":
	case "main":
		heads = func(c *tributary.Classifier) []string { return []string{c.Model.Graph.MainLoss().Name} }
	default:
		return usageError{&train.ValueError{Key: "heads", Value: f.heads, Allowed: "it is all or main"}}
	}
	early, err := f.exits.parse()
	if err != nil {
		return err
	}
	if err := f.check(early); err != nil {
		return usageError{err}
	}
	d := newDisplay(cmd.OutOrStdout())
	c, err := f.run.load(cmd, f.checkpoint, d.report)
	if err != nil {
		return err
	}
	defer c.Close()
	if early == nil {
		c.Config.Cache = train.Num(0) // every image is read only once
	}
	e, err := c.On(cmd.Context(), tributary.TestOptions{Data: f.data, Part: f.part, Heads: heads(c)})
	if err != nil {
		return err
	}
	defer e.Close()
	if early != nil {
		cascade, err := c.Cascade(exitNames(f.exits.exits), early.Rule)
		if err != nil {
			return err
		}
		x := exitReport{out: cmd.OutOrStdout(), evaluation: e, cascade: cascade, classes: len(c.Classes()), clear: d.clear, file: f.out}
		return x.run(cmd.Context(), early)
	}
	r, err := e.Run(cmd.Context())
	d.clear()
	if err != nil {
		return err
	}
	printResult(cmd.OutOrStdout(), e, r)
	return nil
}

// check returns an error for flags that exclude each other.
func (f *evalFlags) check(early *exits.Request) error {
	switch {
	case f.part != "" && !slices.Contains(dataset.Parts(), f.part):
		return &train.ValueError{Key: "part", Value: f.part, Allowed: "it is one of " + strings.Join(dataset.Parts(), ", "), Nearest: graph.Nearest(f.part, dataset.Parts(), 1)}
	case early != nil && f.heads != "all":
		return fmt.Errorf("--heads %s: early exits choose their heads with --exits", f.heads)
	case f.out != "" && (early == nil || !early.Curve):
		return fmt.Errorf("--out goes with --early-exit curve, whose points it writes")
	case f.out != "" && !slices.Contains(exits.FileEndings(), strings.ToLower(filepath.Ext(f.out))):
		return &train.ValueError{Key: "out", Value: f.out, Allowed: "the file's name ends in one of " + strings.Join(exits.FileEndings(), ", ")}
	}
	return nil
}

// printSubject prints what is measured.
func printSubject(out io.Writer, e *tributary.Evaluation, images int) {
	ck, what := e.Checkpoint, "weights"
	if ck.Has(graph.Average) {
		what = "moving averages"
	}
	printf(out, "%s: %s after step %d, %s\n%s, %s images\n", ck.Path, ck.Network, ck.Progress.Step, what, e.Test.Info().Name, human.Thousands(images))
	if in, err := e.Input(); err == nil {
		fmt.Fprintf(out, "input: %s\n", in)
	}
	fmt.Fprintln(out)
}

func printResult(out io.Writer, e *tributary.Evaluation, r train.Result) {
	printSubject(out, e, r.Images)
	fmt.Fprintf(out, "%-10s %9s %20s %20s\n", "head", "loss", "top 1", "top 5")
	for _, h := range r.Heads {
		share := func(hits int, v float64) string {
			return fmt.Sprintf("%.2f %% (%s)", 100*v, human.Thousands(hits))
		}
		fmt.Fprintf(out, "%-10s %9.4f %20s %20s\n", h.Name, h.Loss, share(h.Correct1, h.Top1), share(h.Correct5, h.Top5))
	}
}
