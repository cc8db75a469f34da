package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/ablate"
	"github.com/tributary-ml/tributary/train"
)

func newAblate() *cobra.Command {
	var f trainFlags
	cmd := &cobra.Command{
		Use:   "ablate [flags]",
		Short: "Train with different heads and seeds, and compare",
		Long: `Train a network with different auxiliary heads, and without, at several seeds, one
run after another. After every run there is a table: for each variant its accuracy,
the difference from the network without heads at equal seeds, and a verdict. Heads
"auto" are placed for every seed by itself; its config.yaml says where.

Everything goes to one folder, with a folder for each run in it; which one depends on
the runs' settings only. Ctrl-C saves a checkpoint; the same command goes on from it,
as does --resume. Runs that are finished are not repeated: the same command with more
seeds or variants trains only those.`,
		Example: `  tributary ablate --seeds 3
  tributary ablate --variants 'inception3b; inception4b; every:1:0.1' --epochs 4
  tributary ablate --heads default --weights 0.1,0.3,1 --seeds 1,2,3,4,5
  tributary ablate --variants 'default; auto'
  tributary ablate --config bench/vanishing.yaml
  tributary ablate --resume runs/NAME --seeds 6`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runAblate(cmd, f) },
	}
	defaults, options := train.Default(), ablate.DefaultOptions()
	groups := addSettings(cmd, append(options.Settings(), defaults.Settings()...), func(train.Setting) bool { return true })
	f.add(cmd, groups, "settings from a YAML `file` whose keys are these flags, those of the ablation below the key ablate; flags override it",
		"go on with an `ablation`: its folder")
	return cmd
}

func runAblate(cmd *cobra.Command, f trainFlags) error {
	out := cmd.OutOrStdout()
	d := newDisplay(out)
	c, options, err := ablationConfig(cmd, f)
	if err != nil {
		return err
	}
	a, err := ablate.New(cmd.Context(), *c, options, f.resume, tributary.Options{Report: reporter(cmd, func(e train.Event) { d.report(e) })})
	if err != nil {
		return err
	}
	a.Show = func(r *ablate.Results) error {
		fmt.Fprintln(out)
		return r.Print(out)
	}
	a.Warn = func(err error) { fmt.Fprintf(out, "warning: %v\n", err) }
	a.Begin = func(r *ablate.Run) {
		printf(out, "\nheads %s, seed %d\n", r.Variant, r.Seed)
		d = newDisplay(out)
	}
	total := len(a.Plan.Runs(a.Folder))
	printf(out, "%d runs, %d variants with %d seeds, in %s\n", total, len(a.Plan.Variants), len(a.Plan.Seeds), a.Folder)
	r, err := a.Run(cmd.Context())
	d.clear()
	if err != nil {
		if cmd.Context().Err() != nil {
			printf(out, "\nInterrupted. To go on:\n  %s ablate --resume %s\n", programName(), quoted(a.Folder))
		}
		return err
	}
	printf(out, "\nCompared with no heads:\n")
	for _, v := range r.Variants[1:] {
		printf(out, "  %s\n", v.Conclusion())
	}
	printf(out, "\nWritten to %s: %s\n", a.Folder, strings.Join(r.Files, ", "))
	return nil
}

// ablationConfig reads the settings of an ablation's runs, and the ablation's own.
func ablationConfig(cmd *cobra.Command, f trainFlags) (*train.Config, ablate.Options, error) {
	if f.resume == "" {
		options := ablate.DefaultOptions()
		c, err := readConfigWith(cmd, f.config, ablate.Section, options.Settings())
		return c, options, err
	}
	if bad := given(cmd, "config", "out", "name"); len(bad) > 0 {
		return nil, ablate.Options{}, usageError{fmt.Errorf("--%s: a resumed ablation keeps its configuration and its folder: leave the flag out", bad[0])}
	}
	c, options, err := ablate.Read(f.resume)
	if err != nil {
		return nil, options, usageError{fmt.Errorf("--resume: %w", err)}
	}
	if err := overlay(cmd, append(c.Settings(), options.Settings()...)); err != nil {
		return nil, options, usageError{err}
	}
	return &c, options, complete(cmd, &c)
}
