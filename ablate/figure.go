package ablate

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/train"
)

// colours are those of variants, in their order, over and over: Okabe and Ito's, which colour-blind people tell apart.
var colours = []string{"#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}

// point is one of a curve, with x in epochs.
type point struct{ x, y float64 }

// panel is one of the figure's charts: a curve for each run.
type panel struct {
	title  string
	log    bool
	points func(*RunResult) []point
}

// The sizes of a panel in pixels.
const (
	panelWidth, panelHeight = 360, 240
	left, right             = 56, 12
	top, bottom             = 30, 36
)

// Figure draws the curves as SVG: a panel each for the main head's training loss, its accuracy on the test images and the norm of
// the stem's gradient; a colour for each variant, a line for each seed.
func (r *Results) Figure() []byte {
	steps := func(y func(train.Interval) float64) func(*RunResult) []point {
		return func(run *RunResult) (out []point) {
			for _, i := range run.intervals {
				out = append(out, point{run.position(i.Step), y(i)})
			}
			return smooth(out)
		}
	}
	panels := []panel{
		{"training loss, main head", false, steps(func(i train.Interval) float64 { return main(i.Train).Loss })},
		{"test accuracy, main head (%)", false, func(run *RunResult) (out []point) {
			for _, e := range run.epochs {
				out = append(out, point{float64(e.Epoch), 100 * main(e.Test).Top1})
			}
			return out
		}},
		{"gradient norm of " + r.Stem, true, steps(func(i train.Interval) float64 { return i.GradNorms[r.Stem] })},
	}
	height := panelHeight + 20*len(r.Variants) + 8
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", len(panels)*panelWidth, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for i, p := range panels {
		fmt.Fprintf(&b, `<g transform="translate(%d,0)">`+"\n", i*panelWidth)
		r.draw(&b, p)
		b.WriteString("</g>\n")
	}
	for i, v := range r.Variants {
		y := panelHeight + 20*i + 8
		fmt.Fprintf(&b, `<path d="M%d %dh24" stroke="%s" stroke-width="2"/><text x="%d" y="%d">%s</text>`+"\n",
			left, y, colours[i%len(colours)], left+32, y+4, html.EscapeString(v.Heads))
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// smooth is the mean over up to three neighbours on both sides.
func smooth(p []point) []point {
	out := slices.Clone(p)
	for i := range p {
		sum, from, to := 0.0, max(0, i-3), min(len(p), i+4)
		for _, q := range p[from:to] {
			sum += q.y
		}
		out[i].y = sum / float64(to-from)
	}
	return out
}

// draw draws a panel: its frame, its ticks and its curves.
func (r *Results) draw(b *strings.Builder, p panel) {
	scale := func(y float64) float64 { return y }
	if p.log {
		scale = math.Log10
	}
	low, high := math.Inf(1), math.Inf(-1)
	curves := map[*RunResult][]point{}
	for _, run := range r.runs() {
		for _, q := range p.points(run) {
			if y := scale(q.y); !math.IsNaN(y) && !math.IsInf(y, 0) {
				curves[run] = append(curves[run], point{q.x, y})
				low, high = min(low, y), max(high, y)
			}
		}
	}
	fmt.Fprintf(b, `<text x="%d" y="18" font-weight="bold">%s</text>`+"\n", left, html.EscapeString(p.title))
	if low > high {
		return
	}
	if high-low < 1e-9 {
		low, high = low-0.5, high+0.5
	}
	x := func(v float64) float64 { return left + v/float64(r.Epochs)*(panelWidth-left-right) }
	y := func(v float64) float64 { return top + (high-v)/(high-low)*(panelHeight-top-bottom) }
	for _, t := range ticks(low, high) {
		label := number(t)
		if p.log {
			label = fmt.Sprintf("%.2g", math.Pow(10, t))
		}
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="#dddddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left, y(t), panelWidth-right, left-6, y(t)+4, label)
	}
	for _, t := range ticks(0, float64(r.Epochs)) {
		fmt.Fprintf(b, `<path d="M%.1f %dv4" stroke="black"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(t), panelHeight-bottom, x(t), panelHeight-bottom+16, number(t))
	}
	fmt.Fprintf(b, `<path d="M%d %dV%dH%d" stroke="black" fill="none"/><text x="%d" y="%d" text-anchor="end">epoch</text>`+"\n",
		left, top, panelHeight-bottom, panelWidth-right, panelWidth-right, panelHeight-bottom+30)
	for i, v := range r.Variants {
		for _, run := range v.Runs {
			var d strings.Builder
			for k, q := range curves[run] {
				fmt.Fprintf(&d, "%c%.1f %.1f", "ML"[min(k, 1)], x(q.x), y(q.y))
			}
			if d.Len() > 0 {
				fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.3" stroke-opacity="0.8"/>`+"\n", d.String(), colours[i%len(colours)])
			}
		}
	}
}

// ticks are four to nine round numbers between low and high.
func ticks(low, high float64) []float64 {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, f := range []float64{5, 2} {
		if (high-low)/(f*step) >= 4 {
			step *= f
			break
		}
	}
	var out []float64
	for k := math.Ceil(low/step - 1e-9); k*step <= high+1e-9*step; k++ {
		out = append(out, k*step+0) // which makes a 0 of a -0
	}
	return out
}
