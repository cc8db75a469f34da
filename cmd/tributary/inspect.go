package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/internal/human"
	"github.com/tributary-ml/tributary/train"
)

// inspectFlags are the flags of inspect that are not settings.
type inspectFlags struct {
	classes int
	steps   bool
	measure bool
	svg     string
}

func newInspect() *cobra.Command {
	var f inspectFlags
	cmd := &cobra.Command{
		Use:   "inspect [--model NAME]",
		Short: "Show a network, its heads, and the plan of a training step",
		Long: `Show what a network is made of and what a training step costs: parameters,
multiply-accumulates, the steps of the plan, the memory it needs, and the share of
every head. Without flags: list the networks and the kinds of heads.`,
		Example: `  tributary inspect
  tributary inspect --model googlenet --batch 32 --measure
  tributary inspect --model inception_v3 --heads none --steps
  tributary inspect --model inception_small --svg network.svg`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().NFlag() == 0 {
				listNetworks(cmd.OutOrStdout())
				return nil
			}
			return runInspect(cmd, f)
		},
	}
	c := train.Default()
	keys := map[string]bool{"model": true, "heads": true, "image-size": true, "channels": true, "width": true, "batch": true, "precision": true, "device": true, "threads": true}
	groups := addSettings(cmd, c.Settings(), func(s train.Setting) bool { return keys[s.Key] })
	for _, g := range groups {
		if g.flags.Lookup("image-size") != nil {
			g.flags.Lookup("image-size").Usage = "`side` of the network's input in pixels; 0: the network's"
			g.flags.Lookup("channels").Usage = "`channels` of the images; 0: the network's"
			g.flags.IntVar(&f.classes, "classes", 0, "`classes` to tell apart; 0: the network's")
			cmd.Flags().AddFlag(g.flags.Lookup("classes"))
		}
	}
	show := newFlagSet("show")
	show.BoolVar(&f.steps, "steps", false, "list every step of the training plan")
	show.BoolVar(&f.measure, "measure", false, "time training steps on the device, with and without each head")
	show.StringVar(&f.svg, "svg", "", "draw the network, heads marked, as an SVG `file`")
	cmd.Flags().AddFlagSet(show)
	groupedUsage(cmd, append(groups, flagGroup{"Show", show}))
	return cmd
}

func runInspect(cmd *cobra.Command, f inspectFlags) error {
	if err := checkDrawing("svg", f.svg); err != nil {
		return err
	}
	c, err := readConfig(cmd, "")
	if err != nil {
		return err
	}
	if f.classes < 0 || f.classes == 1 {
		return usageError{&train.ValueError{Key: "classes", Value: fmt.Sprint(f.classes), Allowed: "it is at least 2, or 0 for the network's"}}
	}
	m, err := new(tributary.Options).Build(c, f.classes, c.Channels)
	if err != nil {
		return err
	}
	b, err := tributary.OpenDevice(c, 0)
	if err != nil {
		return err
	}
	defer b.Close()
	r, err := newReport(m, c, b)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	r.print(out)
	if f.measure {
		plans := []*graph.Plan{r.training, r.mainOnly}
		for _, h := range r.heads {
			plans = append(plans, h.without)
		}
		times, err := tributary.MeasureSteps(cmd.Context(), b, r.training.Layout, plans)
		if err != nil {
			return err
		}
		r.printTiming(out, times)
	}
	if f.steps {
		printSteps(out, r.training)
	}
	if f.svg != "" {
		if err := writeDrawing(f.svg, drawModel(m)); err != nil {
			return err
		}
		printf(out, "\ndrawn: %s\n", f.svg)
	}
	return nil
}

// listNetworks lists the values of --model and --heads.
func listNetworks(out io.Writer) {
	fmt.Fprintln(out, "Networks (--model), with parameters and multiply-accumulates an image, heads included:")
	for _, n := range inception.Networks() {
		m, err := inception.Build(n.Name, inception.Config{})
		if err != nil {
			fmt.Fprintf(out, "  %-20s %v\n", n.Name, err)
			continue
		}
		fmt.Fprintf(out, "  %-20s %9s %9s  at %d², smallest %d²  %s\n", n.Name, human.Quantity(int64(m.Parameters())), human.Quantity(m.MACs()), n.Size, n.SmallestWithHeads, n.Paper)
		for _, h := range m.Heads {
			fmt.Fprintf(out, "  %-20s   %s: --heads %s:%v:%s\n", "", h.Name, h.At, h.Weight, h.Kind)
		}
	}
	fmt.Fprintln(out, "\nKinds of heads (--heads where:weight:kind):")
	for _, k := range auxhead.Kinds() {
		fmt.Fprintf(out, "  %-20s from %d×%d on  %s\n", k.Name, k.Smallest, k.Smallest, k.From)
	}
}

// report is the result of inspect.
type report struct {
	model                *inception.Model
	backend              graph.Backend
	training, evaluation *graph.Plan
	mainOnly             *graph.Plan // training without heads
	heads                []headCost
	photographs          string // how they become the network's input; empty if the input is that of the data
}

// headCost is the cost of a head in the network and in a training step.
type headCost struct {
	auxhead.Head
	parameters, nodes, steps int
	macs, flops, bytes       int64
	without                  *graph.Plan // a training step without the head
}

func newReport(m *inception.Model, c *train.Config, b graph.Backend) (*report, error) {
	r := &report{model: m, backend: b}
	if in := m.Graph.InputNode().Shape(); m.Network.Input.Mean != nil {
		photographs := train.Default()
		photographs.Model = m.Network.Name
		if err := photographs.ResolveInput(nil, dataset.Info{C: in.C}, in.H, in.W); err != nil {
			return nil, err
		}
		input, err := photographs.Input(in.H, in.W)
		if err != nil {
			return nil, err
		}
		r.photographs = input.String()
	}
	layout, err := graph.NewLayout(m.Graph)
	if err != nil {
		return nil, err
	}
	update, err := c.Update()
	if err != nil {
		return nil, err
	}
	z := &graph.Normalization{}
	for range m.Config.Channels {
		z.Mean, z.Std = append(z.Mean, 0.5), append(z.Std, 0.25)
	}
	compile := func(training bool, losses []string) (*graph.Plan, error) {
		o := graph.Options{Batch: c.Batch, Training: training, Losses: losses, Normalize: z, Target: b.Target()}
		if training {
			o.Optimizer = &update
		}
		return graph.Compile(m.Graph, layout, o)
	}
	if r.training, err = compile(true, nil); err != nil {
		return nil, err
	}
	if r.mainOnly, err = compile(true, []string{m.Graph.MainLoss().Name}); err != nil {
		return nil, err
	}
	if r.evaluation, err = compile(false, []string{m.Graph.MainLoss().Name}); err != nil {
		return nil, err
	}
	for _, h := range m.Heads {
		var others []string
		for _, l := range m.Graph.Losses() {
			if l.Name != h.Name {
				others = append(others, l.Name)
			}
		}
		without, err := compile(true, others)
		if err != nil {
			return nil, err
		}
		own, err := m.Graph.Own(h.Name)
		if err != nil {
			return nil, err
		}
		r.heads = append(r.heads, headCost{
			Head: h, parameters: m.Parameters() - m.Parameters(others...), nodes: len(own), macs: m.MACs() - m.MACs(others...),
			steps: len(r.training.Steps) - len(without.Steps), flops: r.training.FLOPs() - without.FLOPs(), bytes: r.training.Bytes() - without.Bytes(),
			without: without,
		})
	}
	return r, nil
}

func (r *report) print(out io.Writer) {
	m := r.model
	in := m.Graph.InputNode().Shape()
	var heads []string
	for _, h := range m.Heads {
		heads = append(heads, h.Name)
	}
	if heads == nil {
		heads = []string{"no heads"}
	}
	fmt.Fprintf(out, "%s: %s\n", m.Network.Name, m.Network.Paper)
	fmt.Fprintf(out, "input %s, %s classes, %s\n", in, human.Thousands(m.Config.Classes), strings.Join(heads, ", "))
	if r.photographs != "" {
		fmt.Fprintf(out, "photographs: %s\n", r.photographs)
	}
	fmt.Fprintln(out)
	fmt.Fprintf(out, "%-24s %14s %14s\n", "", "without heads", "with heads")
	fmt.Fprintf(out, "%-24s %14s %14s\n", "parameters", human.Thousands(m.Parameters(m.Graph.MainLoss().Name)), human.Thousands(m.Parameters()))
	fmt.Fprintf(out, "%-24s %14s %14s\n", "MACs an image, forward", human.Quantity(m.MACs(m.Graph.MainLoss().Name)), human.Quantity(m.MACs()))

	fmt.Fprintf(out, "\nplans for %s, batch %d\n", r.backend.Name(), r.training.Options.Batch)
	fmt.Fprintf(out, "%-24s %14s %14s %14s\n", "", "inference", "training", "with heads")
	row := func(name string, value func(*graph.Plan) string) {
		fmt.Fprintf(out, "%-24s %14s %14s %14s\n", name, value(r.evaluation), value(r.mainOnly), value(r.training))
	}
	row("nodes", func(p *graph.Plan) string { return human.Thousands(nodes(p)) })
	row("steps", func(p *graph.Plan) string { return human.Thousands(len(p.Steps)) })
	for _, phase := range []graph.Phase{graph.Forward, graph.LossPhase, graph.Backward, graph.UpdatePhase} {
		row("  "+phase.String(), func(p *graph.Plan) string { return human.Thousands(countPhase(p, phase)) })
	}
	if r.sideBySide() {
		row("longest chain of steps", func(p *graph.Plan) string { return human.Thousands(p.CriticalPath()) })
	}
	row("FLOPs", func(p *graph.Plan) string { return human.Quantity(p.FLOPs()) })
	row("bytes moved, at least", func(p *graph.Plan) string { return human.Bytes(p.Bytes()) })
	row("sum of all tensors", func(p *graph.Plan) string { return human.Bytes(p.Unshared) })
	row("arena", func(p *graph.Plan) string { return human.Bytes(p.ArenaBytes()) })
	t := r.training
	fmt.Fprintf(out, "\nmemory of a training step: reduced from %s to %s (%.1f times)\n", human.Bytes(t.Unshared), human.Bytes(t.ArenaBytes()), float64(t.Unshared)/float64(t.ArenaBytes()))
	if len(r.heads) == 0 {
		return
	}
	fmt.Fprintf(out, "\nwhat each head adds to a training step\n")
	fmt.Fprintf(out, "%-8s %-28s %-14s %7s %12s %9s %6s %9s %11s\n", "head", "at", "kind", "weight", "parameters", "MACs", "steps", "FLOPs", "bytes")
	for _, h := range r.heads {
		fmt.Fprintf(out, "%-8s %-28s %-14s %7.3g %12s %9s %6d %9s %11s\n", h.Name, h.At, h.Kind, h.Weight, human.Thousands(h.parameters),
			human.Quantity(h.macs), h.steps, human.Quantity(h.flops), human.Bytes(h.bytes))
	}
	if r.sideBySide() {
		fmt.Fprintf(out, "\nall heads together make the longest chain of steps %d longer: their other steps run beside the trunk's\n", r.training.CriticalPath()-r.mainOnly.CriticalPath())
	}
}

// sideBySide reports whether the backend runs independent steps side by side.
func (r *report) sideBySide() bool { return r.backend.Target().ReuseDistance > 0 }

// nodes returns the number of nodes that a plan computes, which are those that its losses need.
func nodes(p *graph.Plan) int {
	var logits []*graph.Node
	for _, l := range p.Losses {
		logits = append(logits, l.Logits)
	}
	return len(graph.Ancestors(logits...))
}

func countPhase(p *graph.Plan, phase graph.Phase) int {
	n := 0
	for _, x := range p.Phases {
		if x == phase {
			n++
		}
	}
	return n
}

// printSteps lists the steps of a plan.
func printSteps(out io.Writer, p *graph.Plan) {
	fmt.Fprintf(out, "\n%5s %-9s %-24s %9s %11s %10s  %s\n", "step", "phase", "kind", "FLOPs", "bytes", "gradients", "node")
	for i, s := range p.Steps {
		gradients := ""
		if n := len(s.Gradients()); n > 0 {
			gradients = human.Thousands(n)
		}
		fmt.Fprintf(out, "%5d %-9s %-24s %9s %11s %10s  %s\n", i, p.Phases[i], s.Kind(), human.Quantity(s.FLOPs()), human.Bytes(graph.StepBytes(s)), gradients, s.NodeName())
	}
}

// printTiming prints the duration of steps: with all heads, with none, and without each of them.
func (r *report) printTiming(out io.Writer, times []tributary.StepTime) {
	full, main := times[0], times[1]
	rate := func(s tributary.StepTime) string {
		return fmt.Sprintf("%9.2f ms %9.1f images/s", 1e3*s.Best.Seconds(), float64(r.training.Options.Batch)/s.Best.Seconds())
	}
	fmt.Fprintf(out, "\nmeasured on this device, the best of %d steps each, in turns\n", tributary.MeasureRounds)
	fmt.Fprintf(out, "%-24s %6d launches %s\n", "training with heads", full.Launches, rate(full))
	fmt.Fprintf(out, "%-24s %6d launches %s\n", "training without heads", main.Launches, rate(main))
	for i, h := range r.heads {
		without := times[2+i]
		share := 1 - without.Best.Seconds()/full.Best.Seconds()
		fmt.Fprintf(out, "%-24s %6d launches %9.2f ms %9.1f %% of the step\n", "head "+h.Name, full.Launches-without.Launches,
			1e3*(full.Best-without.Best).Seconds(), 100*share)
	}
}
