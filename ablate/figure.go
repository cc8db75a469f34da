package ablate

import (
	"slices"

	"github.com/tributary-ml/tributary/draw"
	"github.com/tributary-ml/tributary/train"
)

// Figure draws the curves as SVG. It has a panel each for the main head's training loss, its
// accuracy on the test images and the norm of the stem's gradient. Each variant has a colour, and
// each seed a line.
func (r *Results) Figure() ([]byte, error) {
	steps := func(y func(train.Interval) float64) func(*RunResult) []draw.Point {
		return func(run *RunResult) (out []draw.Point) {
			for _, i := range run.intervals {
				out = append(out, draw.Point{X: run.position(i.Step), Y: y(i)})
			}
			return smooth(out)
		}
	}
	tests := func(run *RunResult) (out []draw.Point) {
		for _, e := range run.epochs {
			out = append(out, draw.Point{X: float64(e.Epoch), Y: 100 * e.Test.Main().Top1})
		}
		return out
	}
	panel := func(title string, log bool, points func(*RunResult) []draw.Point) draw.Panel {
		p := draw.Panel{Title: title, X: "epoch", Log: log}
		for i, v := range r.Variants {
			for _, run := range v.Runs {
				p.Curves = append(p.Curves, draw.Curve{Name: v.Heads, Colour: i, Points: points(run)})
			}
		}
		return p
	}
	return draw.Figure(
		panel("training loss, main head", false, steps(func(i train.Interval) float64 { return i.Train.Main().Loss })),
		panel("test accuracy, main head (%)", false, tests),
		panel("gradient norm of "+r.Stem, true, steps(func(i train.Interval) float64 { return i.GradNorms[r.Stem] })),
	)
}

// smooth returns the means over up to three neighbours on each side.
func smooth(p []draw.Point) []draw.Point {
	out := slices.Clone(p)
	for i := range p {
		sum, from, to := 0.0, max(0, i-3), min(len(p), i+4)
		for _, q := range p[from:to] {
			sum += q.Y
		}
		out[i].Y = sum / float64(to-from)
	}
	return out
}
