package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary/dataset"
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

// prediction is what is told about an image.
type prediction struct {
	File    string       `json:"file"`
	Exit    string       `json:"exit"` // the head that tells
	Classes []likelihood `json:"classes"`
}

type likelihood struct {
	Class       string  `json:"class"`
	Label       int     `json:"label"`
	Probability float64 `json:"probability"`
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
	ck, err := openCheckpoint(cmd, f.checkpoint)
	if err != nil {
		return err
	}
	defer ck.Close()
	files, err := dataset.Files(cmd.Context(), paths, dataset.OpenOptions{Channels: ck.Channels, Orientation: ck.Config.EXIFOrientation})
	if err != nil {
		return err
	}
	printNotes(cmd, dataset.LeftOut(files))
	c := ck.Config
	f.run.apply(&c)
	if err := check(&c); err != nil {
		return err
	}
	c.Batch = min(c.Batch, files.Len())
	m, err := modelOf(ck, &c)
	if err != nil {
		return err
	}
	if early == nil {
		f.exits.exits = m.Graph.MainLoss().Name
	}
	cascade, err := f.exits.cascade(m, rule)
	if err != nil {
		return err
	}
	b, err := newBackend(&c, 0)
	if err != nil {
		return err
	}
	defer b.Close()
	x := predictReport{out: screenOf(cmd.OutOrStdout()), display: newDisplay(cmd.ErrOrStderr(), nil), flags: f, exits: early != nil}
	e := train.Evaluation{Graph: m.Graph, Backend: b, Test: files, Checkpoint: ck, Config: c}
	if !x.out.terminal() { // otherwise what comes out shows how far it is
		e.Report = x.display.report
	}
	in, err := e.Input()
	if err != nil {
		return err
	}
	turned := "their EXIF orientation passed over, as in training"
	if in.Orientation {
		turned = "as in training"
	}
	printNotes(cmd, []string{fmt.Sprintf("images are prepared for %s; %s", in, turned)})
	names := files.Info().Classes
	err = e.Predict(cmd.Context(), cascade, rule, func(a train.Answer) error {
		if a.Err != nil {
			x.missing(a.Err)
			return nil
		}
		return x.print(&prediction{names[a.Image], cascade.Exits[a.Exit].Name, likeliest(a.Probabilities, ck.Data.Classes, f.top)})
	})
	x.display.clear()
	if err == nil && x.bad > 0 && !f.run.skipBad {
		err = fmt.Errorf("%s of %s could not be read", human.Thousands(x.bad), human.Count(files.Len(), "image"))
	}
	return err
}

// predictReport prints predictions as they come.
type predictReport struct {
	out     *screen
	display *display // of the way through the images, and of those that cannot be read
	flags   predictFlags
	exits   bool
	bad     int
}

// missing says why there is no prediction. The rest goes on.
func (x *predictReport) missing(err error) {
	x.bad++
	x.display.clear()
	kind := "tributary"
	if x.flags.run.skipBad {
		kind = "warning"
	}
	fmt.Fprintf(x.display.out, "%s: %s\n", kind, plain.Error(err))
}

// likeliest lists the n likeliest classes, the lower label first of equals.
func likeliest(probabilities []float64, classes []string, n int) []likelihood {
	all := make([]likelihood, len(probabilities))
	for i, p := range probabilities {
		all[i] = likelihood{classes[i], i, p}
	}
	slices.SortStableFunc(all, func(a, b likelihood) int { return cmp.Compare(b.Probability, a.Probability) })
	return all[:min(n, len(all))]
}

// print writes a prediction at once: as a line of JSON, or the file's name and a line for each class.
func (x *predictReport) print(p *prediction) error {
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
