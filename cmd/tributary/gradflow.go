package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/gradflow"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/human"
	"github.com/tributary-ml/tributary/train"
)

// gradflowFlags are the flags of gradflow that are not settings.
type gradflowFlags struct {
	run       string
	updates   int
	layers    bool
	html, svg string
}

func newGradflow() *cobra.Command {
	var f gradflowFlags
	cmd := &cobra.Command{
		Use:   "gradflow [--run RUN | --model NAME --data SET]",
		Short: "Show the gradient that every head sends to every layer",
		Long: `Show how large a gradient every head sends to every layer, whether heads agree
or fight, how large the updates are, and which ReLUs are dead: as a table, and as
a report of one HTML file with the network drawn, its edges as thick as the
gradient that they carry and coloured by head, over training time.

With --run: of a run that was trained with --gradflow-every. Otherwise: of a short
new run, which --updates ends; it is an ordinary run, and train --resume goes on
with it. What is measured comes from plans of its own and changes no result.`,
		Example: `  tributary gradflow
  tributary gradflow --model googlenet --data cifar10 --image-size 64 --updates 200
  tributary train --gradflow-every 100 --name a; tributary gradflow --run runs/a --svg flow.svg`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runGradflow(cmd, f) },
	}
	defaults := train.Default()
	groups := addSettings(cmd, defaults.Settings(), func(train.Setting) bool { return true })
	own := newFlagSet("gradflow")
	own.StringVar(&f.run, "run", "", "report on a `run` that was measured: its folder, or last")
	own.IntVar(&f.updates, "updates", 60, "`updates` of a new run")
	own.BoolVar(&f.layers, "layers", false, "list every layer, not the places between modules alone")
	own.StringVar(&f.html, "html", "", "the report, an HTML `file`; empty: gradflow.html in the run's folder")
	own.StringVar(&f.svg, "svg", "", "also the last measurement's drawing, an SVG `file`")
	cmd.Flags().AddFlagSet(own)
	groupedUsage(cmd, append([]flagGroup{{"Report", own}}, groups...))
	return cmd
}

func runGradflow(cmd *cobra.Command, f gradflowFlags) error {
	if f.updates < 1 {
		return usageError{&train.ValueError{Key: "updates", Value: fmt.Sprint(f.updates), Allowed: "it is a whole number of at least 1"}}
	}
	if err := checkDrawing("svg", f.svg); err != nil {
		return err
	}
	folder, g, err := f.measured(cmd)
	if err != nil {
		return err
	}
	flows, err := folder.ReadFlows()
	if err != nil {
		return err
	}
	if len(flows) == 0 {
		return fmt.Errorf("the run %s ended before its first measurement", folder.Path)
	}
	out := cmd.OutOrStdout()
	gradflow.Print(out, flows[len(flows)-1], f.layers)
	network := gradflow.NewNetwork(g)
	if f.html == "" {
		f.html = filepath.Join(folder.Path, "gradflow.html")
	}
	if err := gradflow.WriteReport(f.html, folder.Path, network, flows); err != nil {
		return err
	}
	printf(out, "\nreport on %s: %s\n", human.Count(len(flows), "measurement"), f.html)
	if f.svg != "" {
		if err := writeDrawing(f.svg, network.Draw(flows, len(flows)-1)); err != nil {
			return err
		}
		printf(out, "drawn: %s\n", f.svg)
	}
	return nil
}

// measured returns the run to report on: an existing one, or a new one.
func (f gradflowFlags) measured(cmd *cobra.Command) (*train.Folder, *graph.Graph, error) {
	if f.run == "" {
		return f.measure(cmd)
	}
	changed := ""
	for _, s := range (&train.Config{}).Settings() {
		if cmd.Flags().Changed(s.Key) && !s.Local {
			changed = s.Key
		}
	}
	if changed != "" {
		return nil, nil, usageError{fmt.Errorf("--%s: the run %s has its own: leave --run or the flag out", changed, f.run)}
	}
	path, err := train.FindRun(f.run, cmd.Flag("out").Value.String())
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("--run: %w", err)}
	}
	folder := &train.Folder{Path: path}
	if _, err := os.Stat(folder.Config()); err != nil {
		return nil, nil, usageError{fmt.Errorf("--run: %w: name a run's folder", err)}
	}
	c, err := readConfig(cmd, folder.Config())
	if err != nil {
		return nil, nil, err
	}
	g, err := tributary.OpenNetwork(cmd.Context(), *c, tributary.Options{})
	return folder, g, err
}

// measure trains a new run for some updates.
func (f gradflowFlags) measure(cmd *cobra.Command) (*train.Folder, *graph.Graph, error) {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	c, err := readConfig(cmd, "")
	if err != nil {
		return nil, nil, err
	}
	if c.GradflowEvery == 0 {
		c.GradflowEvery = max(1, f.updates/12)
	}
	d := newDisplay(cmd.OutOrStdout())
	r, err := tributary.New(ctx, *c, tributary.Options{Report: reporter(cmd, func(e train.Event) {
		d.report(e)
		if e, ok := e.(train.Stepped); ok && e.Step >= f.updates {
			cancel()
		}
	})})
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	_, err = r.Train(ctx)
	d.clear()
	var ended *train.InterruptedError
	if errors.As(err, &ended) && cmd.Context().Err() == nil {
		printf(cmd.OutOrStdout(), "ended after %s; %s train --resume %s goes on\n\n", human.Count(ended.Step, "update"), programName(), quoted(r.Folder.Path))
		err = nil
	}
	return r.Folder, r.Model.Graph, err
}
