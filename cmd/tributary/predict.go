package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/exits"
	"github.com/tributary-ml/tributary/internal/human"
	"github.com/tributary-ml/tributary/internal/plain"
	"github.com/tributary-ml/tributary/train"
)

type predictFlags struct {
	checkpoint string
	top        int
	json       bool
	exits      exitFlags
	run        runFlags
}

func newPredict() *cobra.Command {
	var f predictFlags
	cmd := &cobra.Command{
		Use:   "predict --checkpoint RUN IMAGE...",
		Short: "Tell the classes of images",
		Long: `Tell the classes of image files, or of all images in folders: JPEG, PNG, GIF,
WebP, BMP, TIFF, PPM, PGM and PBM. They are prepared as test images are. The data
of the run are not needed. Every result is printed as soon as it and all before
it are there. What cannot be read is named on standard error, the rest goes on,
and the exit code is 1 at the end; with --skip-bad it is 0.

With --early-exit entropy=T or confidence=T an image leaves at the first head that
is sure of it, as in eval.`,
		Example: `  tributary predict --checkpoint last cat.jpg photos/
  tributary predict --checkpoint runs/NAME --top 1 --json photos/
  tributary predict --checkpoint runs/NAME --early-exit confidence=0.9 cat.jpg`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("predict: name image files, or folders of them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runPredict(cmd, f, args) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.checkpoint, "checkpoint", "", "`run` whose network tells: its folder, for its best checkpoint, a .ckpt file, or last")
	fs.IntVar(&f.top, "top", 5, "`classes` to list for each image, the likeliest first")
	fs.BoolVar(&f.json, "json", false, "write one JSON object a line for each image")
	f.exits.add(cmd, fs, "`rule` by which images leave early: entropy=T or confidence=T")
	f.run.add(cmd, fs)
	return cmd
}

func runPredict(cmd *cobra.Command, f predictFlags, paths []string) error {
	if f.top < 1 {
		return usageError{&train.ValueError{Key: "top", Value: fmt.Sprint(f.top), Allowed: "it is a whole number from 1"}}
	}
	early, err := f.exits.parse()
	if err != nil {
		return err
	}
	var rule exits.Rule
	if early != nil {
		if rule = early.Rule; rule.Thresholds == nil {
			return usageError{fmt.Errorf("--early-exit %s needs labelled images: use it with eval, and take a rule that it finds", f.exits.rule)}
		}
	}
	x := predictReport{out: screenOf(cmd.OutOrStdout()), display: newDisplay(cmd.ErrOrStderr()), flags: f, exits: early != nil}
	show := x.display.report
	if x.out.terminal() { // the predictions show the progress
		show = func(train.Event) {}
	}
	c, err := f.run.load(cmd, f.checkpoint, show)
	if err != nil {
		return err
	}
	defer c.Close()
	images := 0
	o := tributary.PredictOptions{Top: f.top, Rule: rule, Exits: exitNames(f.exits.exits)}
	for p, err := range c.Predict(cmd.Context(), paths, o) {
		if err == nil {
			images++
			err = x.tell(&p)
		}
		if err != nil {
			x.display.clear()
			return err
		}
	}
	x.display.clear()
	if x.bad > 0 && !f.run.skipBad {
		return fmt.Errorf("%s of %s could not be read", human.Thousands(x.bad), human.Count(images, "image"))
	}
	return nil
}

// predictReport prints predictions as they come.
type predictReport struct {
	out     *screen
	display *display // shows progress, and images that cannot be read
	flags   predictFlags
	exits   bool
	bad     int
}

// missing reports why there is no prediction. The others go on.
func (x *predictReport) missing(err error) {
	x.bad++
	x.display.clear()
	kind := "tributary"
	if x.flags.run.skipBad {
		kind = "warning"
	}
	fmt.Fprintf(x.display.out, "%s: %s\n", kind, plain.Error(err))
}

// tell prints a prediction, or why there is none.
func (x *predictReport) tell(p *tributary.Prediction) error {
	if p.Err != nil {
		x.missing(p.Err)
		return nil
	}
	return x.print(p)
}

// print prints a prediction at once: as a line of JSON, or as the file's name and a line for each
// class.
func (x *predictReport) print(p *tributary.Prediction) error {
	x.display.clear()
	if x.flags.json {
		return json.NewEncoder(x.out).Encode(p)
	}
	var text strings.Builder
	text.WriteString(plain.Text(p.File))
	if x.exits {
		fmt.Fprintf(&text, "  (left at %s)", plain.Text(p.Exit))
	}
	for _, c := range p.Classes {
		fmt.Fprintf(&text, "\n  %8s  %s", fmt.Sprintf("%.2f %%", 100*c.Probability), plain.Text(c.Class))
	}
	_, err := fmt.Fprintln(x.out, text.String())
	return err
}
