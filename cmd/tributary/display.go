package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tributary-ml/tributary/internal/human"
	"github.com/tributary-ml/tributary/train"
)

// redrawEvery is the minimum time between two drawings of the bar.
const redrawEvery = 100 * time.Millisecond

// Without a terminal to draw a bar on, a line reports progress after ten seconds, and then whenever
// a tenth more of the run's time has passed, at the latest after five minutes. The log of a day has
// some hundred such lines.
const (
	plainFirst = 10 * time.Second
	plainLast  = 5 * time.Minute
)

// display shows a run: a table with a line for each epoch, and below it, on a terminal, a bar.
type display struct {
	out      *screen
	started  train.Started
	table    table
	begun    time.Time
	shown    time.Time // time of the last drawing or the last plain line
	smooth   []float64 // losses averaged over some updates
	interval train.Interval
}

func newDisplay(out io.Writer) *display { return &display{out: screenOf(out)} }

// report implements train.Reporter.
func (d *display) report(e train.Event) {
	switch e := e.(type) {
	case train.Started:
		d.start(e)
	case train.Stepped:
		d.step(e)
	case train.Interval:
		d.interval = e
	case train.Evaluating:
		d.evaluating(e)
	case train.EpochEnded:
		d.epoch(e)
	case train.Warning:
		d.say("warning: %s", e.Message)
	}
}

// say writes a line of text.
func (d *display) say(format string, args ...any) {
	d.clear()
	fmt.Fprintln(d.out, d.out.wrap(fmt.Sprintf(format, plainArgs(args)...), "  "))
}

func (d *display) start(e train.Started) {
	d.started, d.begun, d.shown = e, time.Now(), time.Now()
	c := e.Config
	d.say("%s, heads %s, %s parameters; %s, %s training and %s test images", c.Model, strings.Join(e.Heads, " "),
		human.Thousands(e.Parameters), c.Data, human.Thousands(e.TrainImages), human.Thousands(e.TestImages))
	d.say("%s", classesText(e.Classes, e.ClassImages))
	d.say("%s, %s; %d images a step, memory for activations %s (reduced from %s)", e.Device, c.Precision,
		e.StepImages, human.Bytes(e.ArenaBytes), human.Bytes(e.UnsharedBytes))
	fmt.Fprintf(d.out, "input: %s\n", e.Input)
	if e.CacheBytes > 0 {
		d.say("decoded images stay in memory, up to %s (--cache)", human.Bytes(e.CacheBytes))
	}
	if e.Augments {
		d.say("the device augments the images (%s), the host's cores decode them", c.Augment)
	}
	if e.Resumed {
		d.say("resuming %s after step %d of %d", e.Folder, e.Step, e.Steps)
	} else {
		d.say("writing to %s", e.Folder)
	}
}

// classesText lists classes with their numbers of training images. If there are many, it lists the
// first few, and those with the fewest and the most images. counts may be nil.
func classesText(classes []string, counts []int) string {
	const all, first = 10, 5
	n := len(classes)
	shown := n
	if n > all {
		shown = first
	}
	var least, most int
	if counts != nil {
		least, most = slices.Min(counts), slices.Max(counts)
	}
	text := human.Thousands(n) + " classes"
	if least == most && counts != nil {
		text += " of " + human.Count(least, "image")
	}
	names := slices.Clone(classes[:shown])
	for i := range names {
		if least < most {
			names[i] += " " + human.Thousands(counts[i])
		}
	}
	text += ": " + strings.Join(names, ", ")
	if shown < n {
		text += fmt.Sprintf(" … and %s more", human.Thousands(n-shown))
		if least < most {
			text += fmt.Sprintf("; from %s (%s) to %s (%s)", human.Count(least, "image"), classes[slices.Index(counts, least)],
				human.Count(most, "image"), classes[slices.Index(counts, most)])
		}
	}
	return text
}

// step updates the bar.
func (d *display) step(e train.Stepped) {
	const span = 20
	if d.smooth == nil {
		for _, h := range e.Result.Heads {
			d.smooth = append(d.smooth, h.Loss)
		}
	}
	b := barLine{title: fmt.Sprintf("epoch %d/%d", e.Epoch, d.started.Epochs), done: e.EpochStep, of: e.EpochSteps, left: d.left(e) + " left"}
	for i, h := range e.Result.Heads {
		d.smooth[i] += (h.Loss - d.smooth[i]) / span
		b.losses = append(b.losses, fmt.Sprintf("%s %.3f", h.Name, d.smooth[i]))
	}
	if d.interval.ImagesPerSecond > 0 {
		b.rate = human.Thousands(int(d.interval.ImagesPerSecond+0.5)) + " images/s"
	}
	if d.out.terminal() {
		d.draw(b)
		return
	}
	if time.Since(d.shown) >= min(max(plainFirst, d.shown.Sub(d.begun)/10), plainLast) {
		d.shown = time.Now()
		printf(d.out, "        %s  loss %s  step %d/%d  %s  %s\n", b.title, strings.Join(b.losses, " "), e.Step, e.Steps, b.rate, b.left)
	}
}

// left returns the time for the rest of the run at its rate so far, including evaluations.
func (d *display) left(e train.Stepped) string {
	done := e.Step - d.started.Step
	each := time.Since(d.begun).Seconds() / float64(max(1, done))
	return human.Duration(each * float64(e.Steps-e.Step))
}

// evaluating updates the bar of an evaluation.
func (d *display) evaluating(e train.Evaluating) {
	if d.out.terminal() {
		d.draw(barLine{title: "testing", done: e.Images, of: e.Of})
	}
}

// draw draws a bar, unless the last drawing is very recent.
func (d *display) draw(b barLine) {
	if time.Since(d.shown) >= redrawEvery {
		d.shown = time.Now()
		d.out.draw(b.fit(d.out.width() - 1)) // a terminal may break a line that fills it completely
	}
}

// epoch writes a line of the table.
func (d *display) epoch(e train.EpochEnded) {
	d.clear()
	width := 0 // no limit
	if d.out.terminal() {
		width = d.out.width()
	}
	fmt.Fprint(d.out, d.table.row(epochCells(e, d.started.Epochs), width))
	d.shown = time.Now()
}

// epochCells returns the cells of an epoch's line.
func epochCells(e train.EpochEnded, epochs int) []cell {
	main := e.Test.Main()
	cells := []cell{
		{"", "epoch", fmt.Sprintf("%d/%d", e.Epoch, epochs), 7},
		{"", "lr", fmt.Sprintf("%.3g", e.LR), 8},
		{"train", "loss", fmt.Sprintf("%.4f", e.Train.Total), 7},
		{"test", "loss", fmt.Sprintf("%.4f", e.Test.Total), 7},
		{"test", main.Name, fmt.Sprintf("%.2f%%", 100*main.Top1), 7},
	}
	for _, h := range e.Test.Heads[1:] {
		cells = append(cells, cell{"test", h.Name, fmt.Sprintf("%.2f%%", 100*h.Top1), 7})
	}
	cells = append(cells, cell{"", "images/s", fmt.Sprintf("%.0f", e.ImagesPerSecond), 8}, cell{"", "time", human.Duration(e.Seconds), 6})
	best := ""
	if e.Best {
		best = "best"
	}
	return append(cells, cell{"", "", best, 5})
}

// clear removes the bar, so that a line can be written.
func (d *display) clear() { d.out.clear() }

// barLine is the content of the bar.
type barLine struct {
	title      string
	losses     []string // of the heads, the main one first
	done, of   int
	rate, left string
}

// The length of the bar in characters.
const (
	longestBar  = 16
	shortestBar = 5
)

// fit returns the line in at most width columns. If there is too little room, it leaves parts out:
// first the losses of the last heads, then the rate, the remaining time, the bar, and the main
// head's loss.
func (b barLine) fit(width int) string {
	percent := fmt.Sprintf("%3d%%", 100*b.done/max(1, b.of))
	write := func(losses, bar int, rate, left bool) string {
		text := b.title
		if losses > 0 {
			text += "  loss " + strings.Join(b.losses[:losses], " ")
			if losses < len(b.losses) {
				text += " …"
			}
		}
		text += " " + percent
		if bar > 0 {
			full := min(bar, bar*b.done/max(1, b.of))
			text += " [" + strings.Repeat("=", full) + strings.Repeat(" ", bar-full) + "]"
		}
		if rate && b.rate != "" {
			text += " " + b.rate
		}
		if left && b.left != "" {
			text += " " + b.left
		}
		return text
	}
	n := len(b.losses)
	var try []string
	for bar := longestBar; bar >= shortestBar; bar-- {
		try = append(try, write(n, bar, true, true))
	}
	for k := n - 1; k >= 1; k-- {
		try = append(try, write(k, shortestBar, true, true))
	}
	one := min(1, n)
	try = append(try, write(one, shortestBar, false, true), write(one, shortestBar, false, false), write(one, 0, false, false),
		write(0, 0, false, false), strings.TrimSpace(percent))
	for _, line := range try {
		if columns(line) <= width {
			return line
		}
	}
	return ""
}
