package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary/auxhead"
	"github.com/tributary-ml/tributary/dataset"
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
WebP, BMP, TIFF, PPM, PGM and PBM. They are prepared as test images are. The data of the run are not needed.

With --early-exit entropy=T or confidence=T an image leaves at the first head that
is sure of it, as in eval.`,
		Example: `  tributary predict --checkpoint runs/NAME cat.jpg photos/
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
	var rule auxhead.ExitRule
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
		f.exits.exits = auxhead.Main
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
	d := newDisplay(cmd.ErrOrStderr(), nil)
	e := train.Evaluation{Graph: m.Graph, Backend: b, Test: files, Checkpoint: ck, Config: c, Report: d.report}
	in, err := e.Input()
	if err != nil {
		return err
	}
	turned := "their EXIF orientation passed over, as in training"
	if in.Orientation {
		turned = "as in training"
	}
	printNotes(cmd, []string{fmt.Sprintf("images are prepared for %s; %s", in, turned)})
	predictions := make([]*prediction, files.Len())
	_, err = e.Cascade(cmd.Context(), cascade, rule, func(x train.Departure) {
		predictions[x.Label] = &prediction{files.Info().Classes[x.Label], cascade.Exits[x.Exit].Name, likeliest(x.Probabilities, ck.Data.Classes, f.top)}
	})
	d.clear()
	if err != nil {
		return err
	}
	for _, p := range predictions {
		if p == nil { // a bad image that was skipped
			continue
		}
		if err := p.print(cmd.OutOrStdout(), f.json, early != nil); err != nil {
			return err
		}
	}
	return nil
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

func (p *prediction) print(out io.Writer, asJSON, exits bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(p)
	}
	fmt.Fprint(out, p.File)
	if exits {
		fmt.Fprintf(out, "  (left at %s)", p.Exit)
	}
	fmt.Fprintln(out)
	for _, c := range p.Classes {
		fmt.Fprintf(out, "  %8s  %s\n", fmt.Sprintf("%.2f %%", 100*c.Probability), c.Class)
	}
	return nil
}
