package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/exits"
	"github.com/tributary-ml/tributary/train"
)

// runFlags are the flags of commands that run a trained network.
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

// apply applies the flags to a run's configuration.
func (f *runFlags) apply(c *train.Config) {
	c.Threads, c.Workers, c.SkipBad = f.threads, f.workers, f.skipBad
	if f.batch != 0 {
		c.Batch = f.batch
	}
	if f.device != "" {
		c.Device = f.device
	}
}

// load opens the trained network that --checkpoint names: the best checkpoint of a run's folder, or
// a file.
func (f *runFlags) load(cmd *cobra.Command, name string, report train.Reporter) (*tributary.Classifier, error) {
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
	return tributary.Load(path, tributary.Options{Report: reporter(cmd, report), Change: func(c *train.Config) error {
		f.apply(c)
		return nil
	}})
}

// exitNames parses a list of exits; nil means all.
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

// parse parses the flags. It returns nil if the user wants no early exits.
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
