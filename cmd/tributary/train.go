package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/internal/human"
	"github.com/tributary-ml/tributary/internal/plain"
	"github.com/tributary-ml/tributary/train"
)

// trainFlags are the flags of train and ablate that are not settings.
type trainFlags struct {
	config string
	resume string
}

// add adds these flags, with their usage in a command, before the command's groups of settings.
func (f *trainFlags) add(cmd *cobra.Command, groups []flagGroup, config, resume string) {
	files := newFlagSet("files")
	files.StringVar(&f.config, "config", "", config)
	files.StringVar(&f.resume, "resume", "", resume)
	cmd.Flags().AddFlagSet(files)
	cmd.MarkFlagFilename("config", "yaml", "yml")
	groupedUsage(cmd, append([]flagGroup{{"Start", files}}, groups...))
}

func newTrain() *cobra.Command {
	var f trainFlags
	cmd := &cobra.Command{
		Use:   "train [flags]",
		Short: "Train a network",
		Long: `Train a network with its auxiliary heads. Without flags: a small Inception with
two heads on the Fashion-MNIST images that are part of the program, in about half
a minute on two cores.

Everything goes to a folder of its own, runs/TIME-NETWORK: the configuration, a
log with one JSON object a line, its numbers for TensorBoard, and checkpoints.
Ctrl-C, SIGTERM and SIGHUP save a checkpoint; --resume goes on from it as if nothing
had happened, and with --epochs N to another end. The newest run is called last.
Where images were added or removed since, it goes on with those that there are.`,
		Example: `  tributary train
  tributary train --data cifar10 --width 2 --epochs 30 --augment crop-flip-cutout
  tributary train --model googlenet --data folder:photos --heads inception4a:0.3,inception4d:0.3
  tributary train --heads 'inception3*:0.1:gap' --head-schedule cosine:0.5
  tributary train --heads auto
  tributary train --config run.yaml --lr 0.02
  tributary train --resume last`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runTrain(cmd, f) },
	}
	defaults := train.Default()
	groups := addSettings(cmd, defaults.Settings(), func(train.Setting) bool { return true })
	f.add(cmd, groups, "settings from a YAML `file` whose keys are these flags; flags override it",
		"go on with a `run`: its folder, a checkpoint in it, or last")
	return cmd
}

func runTrain(cmd *cobra.Command, f trainFlags) (err error) {
	d := newDisplay(cmd.OutOrStdout())
	r, err := prepare(cmd, f, reporter(cmd, d.report))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	out := cmd.OutOrStdout()
	summary, err := r.Train(cmd.Context())
	d.clear()
	var interrupted *train.InterruptedError
	if errors.As(err, &interrupted) {
		printf(out, "\nInterrupted after step %d, saved %s. To go on:\n  %s train --resume %s\n",
			interrupted.Step, interrupted.Checkpoint, programName(), quoted(r.Folder.Path))
	}
	if err != nil {
		return err
	}
	ending(out, r, summary)
	return nil
}

// reporter returns a reporter that passes a run's events to show, and prints those that precede the
// run as lines.
func reporter(cmd *cobra.Command, show train.Reporter) train.Reporter {
	return func(e train.Event) {
		switch e := e.(type) {
		case train.Note:
			printNotes(cmd, []string{e.Text})
		case train.HeadsPlaced:
			var scores []string
			for _, s := range e.Scores {
				scores = append(scores, fmt.Sprintf("%s %+.3f", s.At, s.Score))
			}
			printf(cmd.OutOrStdout(), "heads auto: %s, from %d measurements in %d updates; what a head there adds along the main head's gradient: %s\n",
				e.Heads, e.Measurements, e.Updates, strings.Join(scores, ", "))
		default:
			show(e)
		}
	}
}

// printNotes prints notes, one a line.
func printNotes(cmd *cobra.Command, notes []string) {
	out := screenOf(cmd.ErrOrStderr())
	for _, n := range notes {
		fmt.Fprintln(out, out.wrap("note: "+plain.Text(n), "  "))
	}
}

// prepare makes a new run, or resumes an existing one.
func prepare(cmd *cobra.Command, f trainFlags, report train.Reporter) (*tributary.Run, error) {
	if f.resume != "" {
		return prepareResume(cmd, f, report)
	}
	c, err := readConfig(cmd, f.config)
	if err != nil {
		return nil, err
	}
	return tributary.New(cmd.Context(), *c, tributary.Options{Report: report})
}

func prepareResume(cmd *cobra.Command, f trainFlags, report train.Reporter) (*tributary.Run, error) {
	keeps := []string{"config", "name", "init"}
	if f.resume != train.LastRun { // --out gives the folder of the last run
		keeps = append(keeps, "out")
	}
	if bad := given(cmd, keeps...); len(bad) > 0 {
		return nil, usageError{fmt.Errorf("--%s: a resumed run keeps its configuration and its folder: leave the flag out", bad[0])}
	}
	run, err := train.FindRun(f.resume, cmd.Flag("out").Value.String())
	if err == nil {
		run, err = train.FindCheckpoint(run, false)
	}
	if err != nil {
		return nil, noRun("resume", err)
	}
	return tributary.Resume(cmd.Context(), run, tributary.Options{Report: report, Change: func(c *train.Config) error {
		if err := overlay(cmd, c.Settings()); err != nil {
			return usageError{err}
		}
		return nil
	}})
}

// noRun returns the error for a flag that names no usable run.
func noRun(flag string, err error) error {
	if errors.As(err, new(*train.LockedError)) {
		return err
	}
	return usageError{fmt.Errorf("--%s: %w", flag, err)}
}

// ending prints the result, its place, and what the user may do next.
func ending(out io.Writer, run *tributary.Run, r *train.Summary) {
	f, p := run.Folder, programName()
	if r.Last == nil {
		printf(out, "The run %[1]s is finished: %[2]d epochs are done. To train on, or to start a new run from its weights:\n  %[3]s train --resume %[4]s --epochs %[5]d\n  %[3]s train --init %[4]s\n",
			f.Path, r.Epochs, p, quoted(f.Path), 2*r.Epochs)
		return
	}
	main := r.Last.Test.Main()
	printf(out, "\nMain head: %.2f %% of %s test images right; best %.2f %% after epoch %d. %s in all.\n",
		100*main.Top1, human.Thousands(r.Last.Test.Images), 100*r.BestTop1, r.BestEpoch, human.Duration(r.Seconds))
	printf(out, "\nWritten:\n  %s  the configuration\n  %s  the log, drawn by: tensorboard --logdir %s\n  %s, %s\n",
		f.Config(), f.Log(), quoted(filepath.Dir(f.Path)), f.Last(), f.Best())
	printf(out, "\nNext:\n  %[1]s eval --checkpoint %[2]s\n  %[1]s inspect --model %[3]s --svg network.svg\n  %[1]s train --init %[2]s --lr 0.005   (train on from these weights)\n  %[1]s train --help\n",
		p, quoted(f.Path), run.Config.Model)
}
