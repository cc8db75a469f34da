package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/draw"
	"github.com/tributary-ml/tributary/exits"
	"github.com/tributary-ml/tributary/internal/atomicfile"
	"github.com/tributary-ml/tributary/internal/human"
	"github.com/tributary-ml/tributary/train"
)

// exitReport measures a network whose heads are exits, and prints what it finds.
type exitReport struct {
	out        io.Writer
	evaluation *train.Evaluation
	cascade    *exits.Cascade
	classes    int
	clear      func() // takes the bar away
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

// rule measures a rule, beside the network without exits on the same images.
func (x *exitReport) rule(ctx context.Context, rule exits.Rule, note string) error {
	e := x.evaluation
	alone, err := exits.NewCascade(e.Graph, []string{auxhead.Main})
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
			accuracy = human.Percent(float64(n.Hits) / float64(n.Images))
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

// meaning says what a measure's threshold does.
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

// curveFormats writes all points of a curve, by the ending of the file's name.
var curveFormats = map[string]func(*exitReport, []exits.Point, exits.Criterion) ([]byte, error){
	".csv": (*exitReport).curveCSV, ".json": (*exitReport).curveJSON, ".svg": (*exitReport).curveSVG,
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
	for _, p := range spread(points, c, rows) {
		fmt.Fprintf(x.out, "%10.4g %9s %14s %8s", p.Threshold, human.Percent(p.Accuracy()), human.Quantity(int64(math.Round(p.MACs(c)))), human.Percent(p.Share(c)))
		for _, n := range p.Exits {
			fmt.Fprintf(x.out, " %9s", human.Percent(float64(n.Images)/float64(p.Images)))
		}
		fmt.Fprintln(x.out)
	}
	if x.file == "" {
		return nil
	}
	text, err := curveFormats[filepath.Ext(x.file)](x, points, m)
	if err != nil {
		return fmt.Errorf("%s: %w; --out with a name that ends in .csv writes the points", x.file, err)
	}
	if err := atomicfile.WriteBytes(x.file, text); err != nil {
		return err
	}
	printf(x.out, "\n%s points written to %s\n", human.Thousands(len(points)), x.file)
	return nil
}

// spread picks up to n points at equal distances of computation.
func spread(points []exits.Point, c *exits.Cascade, n int) []exits.Point {
	high, low := points[0].MACs(c), points[len(points)-1].MACs(c)
	var out []exits.Point
	last := -1
	for i := range n {
		want := high + (low-high)*float64(i)/float64(n-1)
		best := 0
		for j := range points {
			if math.Abs(points[j].MACs(c)-want) < math.Abs(points[best].MACs(c)-want) {
				best = j
			}
		}
		if best > last {
			out, last = append(out, points[best]), best
		}
	}
	return out
}

// curveSVG draws accuracy over computation.
func (x *exitReport) curveSVG(points []exits.Point, m exits.Criterion) ([]byte, error) {
	var early []draw.Point
	for _, p := range points {
		early = append(early, draw.Point{X: 100 * p.Share(x.cascade), Y: 100 * p.Accuracy()})
	}
	alone := 100 * points[0].Accuracy() // at the threshold that lets no image leave
	return draw.Figure(draw.Panel{Title: fmt.Sprintf("early exits by %s, %s", m, x.evaluation.Checkpoint.Network),
		X: "multiply-accumulates (% of the network's)", Y: "accuracy (%)", Curves: []draw.Curve{
			{Name: "main head alone", Colour: 0, Points: []draw.Point{{X: 100, Y: alone}, {X: early[len(early)-1].X, Y: alone}}},
			{Name: "early exits", Colour: 2, Points: early},
		}})
}

func (x *exitReport) curveCSV(points []exits.Point, m exits.Criterion) ([]byte, error) {
	var text bytes.Buffer
	out := csv.NewWriter(&text)
	header := []string{string(m), "images", "hits", "accuracy", "macs", "share"}
	for _, n := range x.cascade.Names() {
		header = append(header, "left_"+n)
	}
	out.Write(header)
	float := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for _, p := range points {
		row := []string{float(p.Threshold), strconv.Itoa(p.Images), strconv.Itoa(p.Hits), float(p.Accuracy()), float(p.MACs(x.cascade)), float(p.Share(x.cascade))}
		for _, n := range p.Exits {
			row = append(row, strconv.Itoa(n.Images))
		}
		out.Write(row)
	}
	out.Flush()
	return text.Bytes(), out.Error()
}

func (x *exitReport) curveJSON(points []exits.Point, m exits.Criterion) ([]byte, error) {
	type exit struct {
		Name string `json:"name"`
		At   string `json:"at,omitempty"`
		MACs int64  `json:"macs"`
	}
	type point struct {
		Threshold float64 `json:"threshold"`
		Hits      int     `json:"hits"`
		Accuracy  float64 `json:"accuracy"`
		MACs      float64 `json:"macs"`
		Share     float64 `json:"share"`
		Left      []int   `json:"left"` // at each exit
	}
	e, c := x.evaluation, x.cascade
	all := struct {
		Checkpoint string  `json:"checkpoint"`
		Network    string  `json:"network"`
		Data       string  `json:"data"`
		Images     int     `json:"images"`
		Measure    string  `json:"measure"`
		WholeMACs  int64   `json:"whole_macs"`
		Exits      []exit  `json:"exits"`
		Points     []point `json:"points"`
	}{e.Checkpoint.Path, e.Checkpoint.Network, e.Test.Info().Name, points[0].Images, string(m), c.Whole, nil, nil}
	for _, x := range c.Exits {
		all.Exits = append(all.Exits, exit{x.Name, x.At, x.MACs})
	}
	for _, p := range points {
		y := point{p.Threshold, p.Hits, p.Accuracy(), p.MACs(c), p.Share(c), nil}
		for _, n := range p.Exits {
			y.Left = append(y.Left, n.Images)
		}
		all.Points = append(all.Points, y)
	}
	text, err := json.Marshal(all)
	return append(text, '\n'), err
}
