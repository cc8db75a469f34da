package main

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/exits"
	"github.com/tributary-ml/tributary/internal/atomicfile"
	"github.com/tributary-ml/tributary/internal/human"
	"github.com/tributary-ml/tributary/train"
)

// exitReport measures a network whose heads are exits, and prints the results.
type exitReport struct {
	out        io.Writer
	evaluation *tributary.Evaluation
	cascade    *exits.Cascade
	classes    int
	clear      func() // removes the bar
	file       string // for the points of a curve
}

func (x *exitReport) run(ctx context.Context, early *exits.Request) error {
	switch {
	case early.Curve:
		return x.curve(ctx, early.Rule.Criterion)
	case early.Budget > 0:
		return x.budget(ctx, early)
	}
	return x.rule(ctx, early.Rule, "")
}

// rule measures a rule, and the network without exits on the same images.
func (x *exitReport) rule(ctx context.Context, rule exits.Rule, note string) error {
	e := x.evaluation
	alone, err := exits.NewCascade(e.Graph, []string{e.Graph.MainLoss().Name})
	if err != nil {
		return err
	}
	with, err := e.Exits(ctx, x.cascade, rule)
	if err != nil {
		x.clear()
		return err
	}
	without, err := e.Exits(ctx, alone, exits.Rule{})
	x.clear()
	if err != nil {
		return err
	}
	printSubject(x.out, e, with.Images)
	fmt.Fprint(x.out, note)
	fmt.Fprintf(x.out, "early exit %s: leave at the first head %s\n\n", rule, x.meaning(rule.Criterion))
	c := x.cascade
	fmt.Fprintf(x.out, "%-8s %-24s %18s %11s %14s %8s\n", "exit", "at", "images", "accuracy", "MACs an image", "share")
	for i, n := range with.Outcome.Exits {
		exit := c.Exits[i]
		accuracy := "-"
		if n.Images > 0 {
			accuracy = human.Percent(float64(n.Correct) / float64(n.Images))
		}
		fmt.Fprintf(x.out, "%-8s %-24s %18s %11s %14s %8s\n", exit.Name, exit.At, fmt.Sprintf("%s (%s)", human.Thousands(n.Images), human.Percent(float64(n.Images)/float64(max(1, with.Images)))),
			accuracy, human.Quantity(exit.MACs), human.Percent(float64(exit.MACs)/float64(c.Whole)))
	}
	fmt.Fprintf(x.out, "\n%-20s %11s %14s %8s %10s\n", "", "accuracy", "MACs an image", "share", "images/s")
	row := func(name string, r train.ExitResult, c *exits.Cascade) {
		fmt.Fprintf(x.out, "%-20s %11s %14s %8s %10s\n", name, human.Percent(r.Accuracy()), human.Quantity(int64(math.Round(r.MACs(c)))), human.Percent(r.Share(c)), human.Thousands(int(r.Rate())))
	}
	row("with early exits", with, c)
	row("main head alone", without, alone)
	fmt.Fprintf(x.out, "\nMACs of an exit are those of all heads before it, too. Images/s are of computing (%s, batches of %d), without reading images.\n", e.Backend.Name(), e.Config.Batch)
	return nil
}

// meaning describes the meaning of a criterion's threshold.
func (x *exitReport) meaning(m exits.Criterion) string {
	if m == exits.Confidence {
		return "whose largest probability is above the threshold"
	}
	return fmt.Sprintf("whose entropy is below the threshold (in nats, natural logarithm: at most ln %d = %.3f)", x.classes, math.Log(float64(x.classes)))
}

// budget chooses a threshold on one half of the test images and measures it on the other.
func (x *exitReport) budget(ctx context.Context, early *exits.Request) error {
	e := *x.evaluation
	all := e.Test
	choose, measure := exits.Halves(all.Len())
	if len(choose) == 0 {
		return fmt.Errorf("early exit: a threshold is chosen on one half of the test images and measured on the other: %s has only %d", all.Info().Name, all.Len())
	}
	e.Test = dataset.Subset(all, choose)
	records, err := e.Records(ctx, x.cascade)
	x.clear()
	if err != nil {
		return err
	}
	points, err := exits.Curve(records, early.Rule.Criterion, x.cascade, x.classes)
	if err != nil {
		return err
	}
	best, err := exits.Best(points, x.cascade, early.Budget)
	if err != nil {
		return usageError{err}
	}
	rule := exits.Rule{Criterion: early.Rule.Criterion, Thresholds: []float64{best.Threshold}}
	note := fmt.Sprintf("budget: at most %s of the network's multiply-accumulates. The threshold was chosen on the other %s of the %s images (the same ones\nevery time), where it gives %s at %s\n\n",
		human.Percent(early.Budget), human.Thousands(len(records)), human.Thousands(all.Len()), human.Percent(best.Accuracy()), human.Percent(best.Share(x.cascade)))
	x.evaluation.Test = dataset.Subset(all, measure)
	return x.rule(ctx, rule, note)
}

// curve measures accuracy against computation for all thresholds.
func (x *exitReport) curve(ctx context.Context, m exits.Criterion) error {
	e, c := x.evaluation, x.cascade
	records, err := e.Records(ctx, c)
	x.clear()
	if err != nil {
		return err
	}
	points, err := exits.Curve(records, m, c, x.classes)
	if err != nil {
		return err
	}
	printSubject(x.out, e, len(records))
	fmt.Fprintf(x.out, "accuracy against computation, one threshold for all: leave at the first head %s\n\n", x.meaning(m))
	fmt.Fprintf(x.out, "%10s %9s %14s %8s", string(m), "accuracy", "MACs an image", "share")
	for _, n := range c.Names() {
		fmt.Fprintf(x.out, " %9s", n)
	}
	fmt.Fprintln(x.out)
	const rows = 12
	for _, p := range exits.Spread(points, c, rows) {
		fmt.Fprintf(x.out, "%10.4g %9s %14s %8s", p.Threshold, human.Percent(p.Accuracy()), human.Quantity(int64(math.Round(p.MACs(c)))), human.Percent(p.Share(c)))
		for _, n := range p.Exits {
			fmt.Fprintf(x.out, " %9s", human.Percent(float64(n.Images)/float64(p.Images)))
		}
		fmt.Fprintln(x.out)
	}
	if x.file == "" {
		return nil
	}
	r := exits.Report{Checkpoint: e.Checkpoint.Path, Network: e.Checkpoint.Network, Data: e.Test.Info().Name, Criterion: m, Cascade: c, Points: points}
	text, err := r.File(x.file)
	if err != nil {
		return fmt.Errorf("%s: %w; --out with a name that ends in .csv writes the points", x.file, err)
	}
	if err := atomicfile.WriteBytes(x.file, text); err != nil {
		return err
	}
	printf(x.out, "\n%s points written to %s\n", human.Thousands(len(points)), x.file)
	return nil
}
