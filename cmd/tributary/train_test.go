package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/inception"
	"github.com/tributary-ml/tributary/train"
)

func TestTrainEvalResume(t *testing.T) {
	data, out := squares(t), t.TempDir()
	whole := command(t, trainArgs(data, out)...)
	require.Equal(t, exitOK, whole.code, whole.errors)
	for _, want := range []string{"epoch", "images/s", "aux1", "2/2", "4 classes of 12 images: quarter0, quarter1, quarter2, quarter3", "Main head:", "config.yaml", "log.jsonl", "tensorboard --logdir " + out, "decoded images stay in memory, up to ", "Next:", "eval --checkpoint"} {
		require.Contains(t, whole.out, want)
	}
	require.NotContains(t, whole.out, "\r", "no bar where there is no terminal")
	run := filepath.Join(out, "first")

	again := command(t, trainArgs(data, out)...)
	require.Equal(t, exitFailure, again.code)
	require.Contains(t, again.errors, "--resume")

	for _, args := range [][]string{
		{"--checkpoint", run}, {"--checkpoint", filepath.Join(run, "checkpoints", "last.ckpt"), "--batch", "3", "--threads", "1"},
		{"--checkpoint", run, "--heads", "main"}, {"--checkpoint", run, "--data", "folder:" + data},
	} {
		r := command(t, append([]string{"eval"}, args...)...)
		require.Equal(t, exitOK, r.code, r.errors)
		require.Contains(t, r.out, "20 images")
		require.Contains(t, r.out, "main")
		require.Equal(t, len(args) < 4 || args[3] != "main", strings.Contains(r.out, "aux1"))
	}
	r := command(t, "eval", "--checkpoint", run, "--data", "fashion-mnist-mini")
	require.Equal(t, exitFailure, r.code)
	require.Contains(t, r.errors, "is no class of the network")

	// The folder has everything that is needed to repeat the run.
	repeat := command(t, "train", "--config", filepath.Join(run, "config.yaml"), "--name", "second")
	require.Equal(t, exitOK, repeat.code, repeat.errors)
	require.Equal(t, rows(whole.out), rows(repeat.out))

	finished := command(t, "train", "--resume", run)
	require.Equal(t, exitOK, finished.code)
	require.Contains(t, finished.out, "is finished")
	other := command(t, "train", "--resume", run, "--lr", "1")
	require.Equal(t, exitFailure, other.code)
	require.Contains(t, other.errors, "lr: 0.02 in the checkpoint, 1 now")
	moved := command(t, "train", "--resume", run, "--out", out)
	require.Equal(t, exitUsage, moved.code)

	// A new run starts from the weights, with the run's classes and with other classes.
	tuned := command(t, trainArgs(data, out, "--name", "tuned", "--init", run)...)
	require.Equal(t, exitOK, tuned.code, tuned.errors)
	require.NotContains(t, tuned.errors, "note:")
}

// rows returns the table in a run's output, without times.
func rows(out string) []string {
	return regexp.MustCompile(`(?m)^ +\d/\d.*%`).FindAllString(out, -1)
}

// cancelAfter cancels a context once a text has been written.
type cancelAfter struct {
	bytes.Buffer
	text   string
	cancel context.CancelFunc
}

func (c *cancelAfter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.text) {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

func TestInterruptAndResume(t *testing.T) {
	data, out := squares(t), t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := &cancelAfter{text: "1/2", cancel: cancel}
	var errors bytes.Buffer
	code := execute(ctx, trainArgs(data, out), w, &errors)
	require.Equal(t, exitInterrupted, code, errors.String())
	run := filepath.Join(out, "first")
	require.Contains(t, w.String(), "tributary train --resume "+run)

	resumed := command(t, "train", "--resume", run, "--threads", "1")
	require.Equal(t, exitOK, resumed.code, resumed.errors)
	require.Contains(t, resumed.out, "resuming")
	require.Len(t, rows(resumed.out), 1)
	whole := command(t, trainArgs(data, out, "--name", "whole")...)
	require.Equal(t, rows(whole.out), append(rows(w.String()), rows(resumed.out)...), "as if nothing had happened")
}

// A command line that cannot work leaves no folder behind.
func TestNoFolderWithoutRun(t *testing.T) {
	data, out := squares(t), filepath.Join(t.TempDir(), "runs")
	for _, more := range [][]string{{"--label-smoothing", "1"}, {"--accumulate", "50"}, {"--init", "missing"}} {
		r := command(t, trainArgs(data, out, more...)...)
		require.NotEqual(t, exitOK, r.code, more)
		_, err := os.Stat(out)
		require.ErrorIs(t, err, os.ErrNotExist, more)
	}
}

// Few images lower the batch; a note says so and the configuration keeps it. A folder is accepted
// as data.
func TestFewImages(t *testing.T) {
	data, out := squares(t), t.TempDir()
	r := command(t, trainArgs(data, out, "--data", data, "--batch", "64", "--epochs", "1")...)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.errors, "note: data: the folder "+data+" is taken as folder:"+data)
	require.Contains(t, r.errors, "note: batch: 48 instead of 64: there are only 48 training images")
	require.Contains(t, r.out, "48 images a step")
	config, err := os.ReadFile(filepath.Join(out, "first", "config.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(config), "batch: 48\n")
	require.Contains(t, string(config), "data: folder:"+data)
	r = command(t, "train", "--resume", filepath.Join(out, "first"))
	require.Equal(t, exitOK, r.code, r.errors)
	r = command(t, "eval", "--checkpoint", filepath.Join(out, "first"), "--data", data)
	require.Equal(t, exitOK, r.code, r.errors)
	r = command(t, "ablate", "--data", data, "--width", "0.25", "--image-size", "16", "--batch", "64", "--epochs", "1", "--warmup", "0", "--variants", "inception3b", "--seeds", "1", "--out", out)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Equal(t, 1, strings.Count(r.errors, "batch: 48 instead of 64"), r.errors)
}

func TestTrainReportsDamage(t *testing.T) {
	data, out := squares(t), t.TempDir()
	bad := filepath.Join(data, "train", "quarter1", "3.png")
	require.NoError(t, os.Truncate(bad, 60))
	r := command(t, trainArgs(data, out)...)
	require.Equal(t, exitFailure, r.code)
	require.Contains(t, r.errors, filepath.Join("quarter1", "3.png"))
	r = command(t, trainArgs(data, out, "--name", "skip", "--skip-bad", "--ema", "0.9", "--label-smoothing", "0.1", "--optimizer", "rmsprop_tf")...)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.out, "warning: ")

	last := filepath.Join(out, "skip", "checkpoints", "last.ckpt")
	st, err := os.Stat(last)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(last, st.Size()-1))
	r = command(t, "train", "--resume", last)
	require.Equal(t, exitFailure, r.code)
	require.Contains(t, r.errors, "damaged")
}

// The network and the data of the default configuration fit each other.
func TestDefaultRunIsPossible(t *testing.T) {
	c := train.Default()
	p, err := new(tributary.Options).Open(t.Context(), &c)
	require.NoError(t, err)
	defer p.Close()
	require.Equal(t, 28, c.ImageSize)
	require.Len(t, p.Model.Heads, 2)
	require.Equal(t, 6000, p.Data.Train.Len())
	require.Less(t, p.Model.Parameters(), 1_000_000)
	for _, n := range inception.Networks() {
		c := train.Default()
		c.Model = n.Name
		require.NoError(t, c.Check())
	}
}
