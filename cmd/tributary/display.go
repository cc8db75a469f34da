package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/tributary-ml/tributary/train"
)

// plainEvery is the time between lines about progress where there is no terminal to draw a bar on.
const plainEvery = 10 * time.Second

// display shows a run: a table with a line for each epoch, and below it, on a terminal, a bar.
type display struct {
	out      io.Writer
	session  *session
	terminal bool
	bar      *progressbar.ProgressBar // of the epoch or the evaluation under way
	testing  bool                     // the bar is an evaluation's
	started  train.Started
	headed   bool // the table has its first line
	begun    time.Time
	shown    time.Time // the last plain line
	smooth   []float64 // losses, averaged over some updates
	interval train.Interval
}

func newDisplay(out io.Writer, s *session) *display {
	f, ok := out.(interface{ Fd() uintptr })
	return &display{out: out, session: s, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// report is a train.Reporter.
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
		d.clear()
		fmt.Fprintf(d.out, "warning: %s\n", e.Message)
	}
}

func (d *display) start(e train.Started) {
	d.started, d.begun, d.shown = e, time.Now(), time.Now()
	c := d.session.config
	fmt.Fprintf(d.out, "%s, heads %s, %s parameters; %s, %s training and %s test images\n", c.Model, strings.Join(e.Heads, " "),
		thousands(e.Parameters), c.Data, thousands(e.TrainImages), thousands(e.TestImages))
	fmt.Fprintf(d.out, "%s, %s; %d images a step, memory for activations %s (reduced from %s)\n", e.Device, c.Precision,
		e.StepImages, size(e.ArenaBytes), size(e.UnsharedBytes))
	fmt.Fprintf(d.out, "input: %s\n", e.Input)
	if e.CacheBytes > 0 {
		fmt.Fprintf(d.out, "decoded images stay in memory, up to %s (--cache)\n", size(e.CacheBytes))
	}
	if e.Augments {
		fmt.Fprintf(d.out, "the device augments the images (%s), the host's cores decode them\n", c.Augment)
	}
	if e.Resumed {
		fmt.Fprintf(d.out, "resuming %s after step %d of %d\n", d.session.folder.Path, e.Step, e.Steps)
	} else {
		fmt.Fprintf(d.out, "writing to %s\n", d.session.folder.Path)
	}
}

// heading writes the first line of the table.
func (d *display) heading() {
	fmt.Fprintf(d.out, "\n%7s %10s %10s", "epoch", "lr", "train loss")
	for _, h := range d.started.Heads {
		fmt.Fprintf(d.out, " %9s", "test "+h)
	}
	fmt.Fprintf(d.out, " %9s %8s\n", "images/s", "time")
	d.headed = true
}

// step moves the bar.
func (d *display) step(e train.Stepped) {
	const span = 20
	if d.smooth == nil {
		for _, h := range e.Result.Heads {
			d.smooth = append(d.smooth, h.Loss)
		}
	}
	var losses []string
	for i, h := range e.Result.Heads {
		d.smooth[i] += (h.Loss - d.smooth[i]) / span
		losses = append(losses, fmt.Sprintf("%s %.3f", h.Name, d.smooth[i]))
	}
	text := fmt.Sprintf("epoch %d/%d  loss %s", e.Epoch, d.started.Epochs, strings.Join(losses, " "))
	if !d.terminal {
		if time.Since(d.shown) > plainEvery {
			d.shown = time.Now()
			fmt.Fprintf(d.out, "        %s  step %d/%d  %.0f images/s  %s left\n", text, e.Step, e.Steps, d.interval.ImagesPerSecond, d.left(e))
		}
		return
	}
	if d.bar == nil {
		d.bar = newBar(d.out, e.EpochSteps*d.started.StepImages)
	}
	d.bar.Describe(text + "  " + d.left(e) + " left")
	d.bar.Set(e.EpochStep * d.started.StepImages)
}

func newBar(out io.Writer, images int) *progressbar.ProgressBar {
	return progressbar.NewOptions(images,
		progressbar.OptionSetWriter(out),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("images"),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetWidth(16),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}

// left is the time that the rest of the run takes at its rate so far, evaluations included.
func (d *display) left(e train.Stepped) string {
	done := e.Step - d.started.Step
	each := time.Since(d.begun).Seconds() / float64(max(1, done))
	return duration(each * float64(e.Steps-e.Step))
}

// evaluating moves the bar of an evaluation.
func (d *display) evaluating(e train.Evaluating) {
	if !d.terminal {
		return
	}
	if !d.testing {
		d.clear()
		d.testing, d.bar = true, newBar(d.out, e.Of)
		d.bar.Describe("testing")
	}
	d.bar.Set(e.Images)
}

// epoch writes a line of the table.
func (d *display) epoch(e train.EpochEnded) {
	d.clear()
	if !d.headed {
		d.heading()
	}
	fmt.Fprintf(d.out, "%7s %10.3g %10.4f", fmt.Sprintf("%d/%d", e.Epoch, d.started.Epochs), e.LR, e.Train.Total)
	for i, h := range e.Test.Heads {
		fmt.Fprintf(d.out, " %*.2f%%", max(9, len("test "+d.started.Heads[i]))-1, 100*h.Top1)
	}
	best := ""
	if e.Best {
		best = "  best"
	}
	fmt.Fprintf(d.out, " %9.0f %8s%s\n", e.ImagesPerSecond, duration(e.Seconds), best)
	d.shown = time.Now()
}

// clear takes the bar away, so that a line can be written.
func (d *display) clear() {
	if d.bar != nil {
		d.bar.Clear()
		d.bar, d.testing = nil, false
	}
}
