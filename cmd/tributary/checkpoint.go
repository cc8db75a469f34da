package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/exits"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/train"
)

// runFlags are the flags of commands that run a trained network: where, and how.
type runFlags struct {
	device                  string
	batch, threads, workers int
	skipBad                 bool
}

func (f *runFlags) add(cmd *cobra.Command, fs *pflag.FlagSet) {
	fs.IntVar(&f.batch, "batch", 0, "`images` in a batch; 0: as many as in training")
	fs.StringVar(&f.device, "device", "", "`device` to run on: cpu, cuda or cuda:N; empty: the run's own")
	fs.IntVar(&f.threads, "threads", 0, "`threads` that compute; 0: one for each CPU")
	fs.IntVar(&f.workers, "workers", 0, "`goroutines` that read images; 0: one for each CPU")
	fs.BoolVar(&f.skipBad, "skip-bad", false, "go on without images that cannot be read")
	cmd.RegisterFlagCompletionFunc("device", cobra.FixedCompletions([]string{"cpu", "cuda"}, cobra.ShellCompDirectiveNoFileComp))
}

// apply puts the flags into a run's configuration.
func (f *runFlags) apply(c *train.Config) {
	c.Threads, c.Workers, c.SkipBad = f.threads, f.workers, f.skipBad
	if f.batch != 0 {
		c.Batch = f.batch
	}
	if f.device != "" {
		c.Device = f.device
	}
}

// openCheckpoint opens the checkpoint that --checkpoint names: the best one of a run's folder, or a file.
func openCheckpoint(cmd *cobra.Command, name string) (*train.Checkpoint, error) {
	if name == "" {
		return nil, usageError{fmt.Errorf("%s: name a run with --checkpoint, such as --checkpoint last or --checkpoint runs/NAME", cmd.Name())}
	}
	path, err := train.FindRun(name, train.Default().Out)
	if err == nil {
		path, err = train.FindCheckpoint(path, true)
	}
	if err != nil {
		return nil, noRun("checkpoint", err)
	}
	return openWhole(path)
}

// openWhole opens a checkpoint, and makes sure that it holds the network that it says.
func openWhole(path string) (*train.Checkpoint, error) {
	ck, err := train.OpenCheckpoint(path)
	if err != nil {
		return nil, err
	}
	c := ck.Config
	m, err := modelOf(ck, &c)
	if err != nil {
		err = &train.CheckpointError{Path: path, Err: fmt.Errorf("its config: %w", err), Remedy: "the file is not as a run writes it: use another, or a copy"}
	} else {
		err = ck.Check(m.Graph)
	}
	if err != nil {
		ck.Close()
		return nil, err
	}
	return ck, nil
}

// modelOf builds a checkpoint's network without its data.
func modelOf(ck *train.Checkpoint, c *train.Config) (*inception.Model, error) {
	if c.ImageSize == 0 {
		c.ImageSize = imageSize(c.Model, dataset.Info{})
	}
	return buildModel(c, len(ck.Data.Classes), ck.Channels)
}

// exitNames reads a list of exits; nil means all.
func exitNames(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var names []string
	for n := range strings.SplitSeq(text, ",") {
		names = append(names, strings.TrimSpace(n))
	}
	return names
}

// exitFlags are the flags of early exits.
type exitFlags struct{ rule, exits string }

func (f *exitFlags) add(cmd *cobra.Command, fs *pflag.FlagSet, usage string) {
	fs.StringVar(&f.rule, "early-exit", "", usage)
	fs.StringVar(&f.exits, "exits", "", "`heads` that are exits, with commas between; empty: all")
	cmd.RegisterFlagCompletionFunc("early-exit", cobra.FixedCompletions(exits.Forms, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
}

// parse reads the flags; nil where the user wants no early exits.
func (f *exitFlags) parse() (*exits.Request, error) {
	if f.rule == "" {
		if f.exits != "" {
			return nil, usageError{fmt.Errorf("--exits goes with --early-exit, which says when images leave")}
		}
		return nil, nil
	}
	e, err := exits.Parse(f.rule)
	if err != nil {
		return nil, err
	}
	return &e, nil
}

// cascade cuts a network at the exits and verifies that a rule is one for them.
func (f *exitFlags) cascade(m *inception.Model, rule exits.Rule) (*exits.Cascade, error) {
	c, err := exits.NewCascade(m.Graph, exitNames(f.exits))
	if err != nil {
		return nil, err
	}
	if err := rule.Check(c, m.Config.Classes); err != nil {
		return nil, usageError{err}
	}
	return c, nil
}
