package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/interop"
	"github.com/tributary-ml/tributary/train"
)

// "last" is the newest run, in every command that takes a run.
func TestLastRun(t *testing.T) {
	data := squares(t)
	t.Chdir(t.TempDir())
	none := command(t, "eval", "--checkpoint", "last")
	require.Equal(t, exitUsage, none.code)
	require.Contains(t, none.errors, "no run was trained in runs yet")

	args := func(name string, more ...string) []string {
		return trainArgs(data, "runs", append([]string{"--name", name, "--gradflow-every", "4"}, more...)...)
	}
	require.Equal(t, exitOK, command(t, args("a")...).code)
	require.Equal(t, exitOK, command(t, args("b")...).code)
	failed := command(t, args("c", "--lr", "1e30", "--warmup", "0")...)
	require.Equal(t, exitFailure, failed.code)
	require.NoDirExists(t, "runs/c")
	require.Equal(t, exitOK, command(t, args("c", "--out", "elsewhere")...).code)

	image := filepath.Join(data, "val", "quarter0", "0.png")
	for _, last := range []string{"last", "runs/last"} {
		for _, args := range [][]string{{"eval", "--checkpoint"}, {"export", "--out", "m.onnx", "--checkpoint"}, {"predict", image, "--checkpoint"}, {"gradflow", "--run"}, {"train", "--resume"}} {
			r := command(t, append(args, last)...)
			require.Equal(t, exitOK, r.code, "%v: %s", args, r.errors)
			if args[0] == "eval" || args[0] == "gradflow" || args[0] == "train" {
				require.Contains(t, r.out, "runs/b", args)
				require.NotContains(t, r.out, "runs/last", args)
			}
		}
	}
	require.Contains(t, command(t, "train", "--resume", "last", "--out", "elsewhere").out, "elsewhere/c is finished")
	tuned := command(t, args("tuned", "--init", "last")...)
	require.Equal(t, exitOK, tuned.code, tuned.errors)
	config, err := os.ReadFile("runs/tuned/config.yaml")
	require.NoError(t, err)
	require.Contains(t, string(config), "init: runs/b\n", "whichever is the last one later")
	require.Contains(t, command(t, "eval", "--checkpoint", "last").out, "runs/tuned")
	require.Contains(t, command(t, args("last")...).errors, "the newest run")
}

// Resuming with more epochs trains on, and a note says whether it is another run.
func TestTrainOn(t *testing.T) {
	data, out := squares(t), t.TempDir()
	run := filepath.Join(out, "first")
	require.Equal(t, exitOK, command(t, trainArgs(data, out)...).code)
	finished := command(t, "train", "--resume", run)
	require.Equal(t, exitOK, finished.code)
	require.Contains(t, finished.out, "is finished: 2 epochs are done")
	require.Contains(t, finished.out, "tributary train --resume "+run+" --epochs 4\n")
	longer := command(t, "train", "--resume", run, "--epochs", "4")
	require.Equal(t, exitOK, longer.code, longer.errors)
	require.Equal(t, 1, strings.Count(longer.errors, "note: 4 epochs instead of 2: "), longer.errors)
	require.Contains(t, longer.errors, "the learning rate (cosine)")
	require.Len(t, rows(longer.out), 2)
	config, err := os.ReadFile(filepath.Join(run, "config.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(config), "\nepochs: 4\n")
	shorter := command(t, "train", "--resume", run, "--epochs", "3")
	require.Equal(t, exitUsage, shorter.code)
	require.Contains(t, shorter.errors, "the run has done 4 epochs already")
}

// After a bad image a run can go on without it, also if the file is removed.
func TestGoOnAfterABadImage(t *testing.T) {
	data, out := squares(t), t.TempDir()
	bad := filepath.Join(data, "train", "quarter1", "3.png")
	good, err := os.ReadFile(bad)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(bad, 60))
	for name, more := range map[string][]string{"skips": {"--skip-bad"}, "removed": nil, "mended": nil} {
		run := filepath.Join(out, name)
		stopped := command(t, trainArgs(data, out, "--name", name)...)
		require.Equal(t, exitFailure, stopped.code)
		require.Equal(t, 1, strings.Count(stopped.errors, "3.png"), stopped.errors)
		require.Contains(t, stopped.errors, "--resume "+run+" goes on, with --skip-bad")
		switch name {
		case "removed":
			require.NoError(t, os.Remove(bad))
		case "mended":
			require.NoError(t, os.WriteFile(bad, good, 0o644))
		}
		r := command(t, append([]string{"train", "--resume", run}, more...)...)
		require.Equal(t, exitOK, r.code, r.errors)
		require.Equal(t, name == "removed", strings.Contains(r.out, "warning: the data changed: 48 → 47 training images"), r.out)
		require.NoError(t, os.WriteFile(bad, good[:60], 0o644))
	}
}

// Exit codes are those that help lists.
func TestExitCodes(t *testing.T) {
	data, out := squares(t), t.TempDir()
	run, image := filepath.Join(out, "first"), filepath.Join(data, "val", "quarter0", "0.png")
	require.Equal(t, exitOK, command(t, trainArgs(data, out)...).code)
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	damaged := filepath.Join(t.TempDir(), "damaged.ckpt")
	ckpt, err := os.ReadFile(filepath.Join(run, "checkpoints", "last.ckpt"))
	require.NoError(t, err)
	ckpt[len(ckpt)/2] ^= 1
	require.NoError(t, os.WriteFile(damaged, ckpt, 0o644))
	for _, x := range []struct {
		code int
		args string
	}{
		{exitOK, "version"}, {exitOK, "train --help"}, {exitOK, "eval --checkpoint " + run}, {exitOK, "predict --checkpoint " + run + " " + image},
		{exitUsage, "train --config " + file("a.yaml", "epochs: many")}, {exitUsage, "train --config " + file("b.yaml", "epochs: 0")},
		{exitUsage, "train --config " + file("c.yaml", "epoch: 1")}, {exitUsage, "train --config " + file("d.yaml", "epochs: 1\nepochs: 2")},
		{exitUsage, "train --config " + file("e.yaml", "epochs: [")}, {exitUsage, "ablate --config " + file("f.yaml", "epochs: 1\n---\nepochs: 2")},
		{exitUsage, "train --config missing.yaml"}, {exitUsage, "ablate --config missing.yaml"}, {exitUsage, "train --init last --out " + t.TempDir()},
		{exitUsage, "train --resume missing"}, {exitUsage, "train --resume " + data}, {exitUsage, "ablate --resume " + run},
		{exitUsage, "gradflow --run missing"}, {exitUsage, "eval --checkpoint missing"}, {exitUsage, "predict --checkpoint " + run},
		{exitUsage, "export --checkpoint " + run}, {exitUsage, "export --checkpoint " + run + " --out m.pt"}, {exitUsage, "eval --checkpoint " + run + " --batch -1"},
		{exitFailure, "eval --checkpoint " + damaged}, {exitFailure, "predict --checkpoint " + damaged + " " + image}, {exitFailure, "export --out m.onnx --checkpoint " + damaged},
		{exitFailure, "train --init " + damaged + " --out " + out}, {exitFailure, "eval --checkpoint " + image},
		{exitFailure, "export --checkpoint " + run + " --out " + filepath.Join(out, "no", "m.onnx")}, {exitFailure, "train --resume " + run + " --lr 1"},
		{exitFailure, strings.Join(trainArgs(data, out), " ")}, {exitFailure, "gradflow --run " + run},
		{exitFailure, strings.Join(trainArgs(data, out, "--name", "diverges", "--lr", "1e30", "--warmup", "0"), " ")},
	} {
		r := command(t, strings.Fields(x.args)...)
		require.Equal(t, x.code, r.code, "%s: %s", x.args, r.errors)
		require.Equal(t, x.code == exitOK, withoutNotes(r.errors) == "", "%s: %s", x.args, r.errors)
	}

	// A command that a signal ends has exit code 130 and a short message.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{trainArgs(data, out, "--name", "stopped"), ablateArgs(data, out, "--name", "ablation"), {"eval", "--checkpoint", run}, {"predict", "--checkpoint", run, image},
		{"gradflow", "--data", "folder:" + data, "--out", out}} {
		var said, problems bytes.Buffer
		require.Equal(t, exitInterrupted, execute(ctx, args, &said, &problems), "%v: %s", args, problems.String())
		require.Contains(t, []string{"", "tributary: interrupted\n"}, withoutNotes(problems.String()), args)
	}
}

// An interrupted run has reported the interruption, but not other errors.
func TestIsAll(t *testing.T) {
	one, other := &train.InterruptedError{Step: 1}, os.ErrClosed
	require.True(t, isAll(one, one))
	require.True(t, isAll(one, errors.Join(errors.Join(one), nil)))
	require.False(t, isAll(one, errors.Join(one, other)))
	require.False(t, isAll(one, fmt.Errorf("more: %w", one)))
}

// Every command refuses a checkpoint with impossible settings, without a panic, as a failure and
// not as a wrong command line.
func TestForgedCheckpoint(t *testing.T) {
	data, out := squares(t), t.TempDir()
	run, image := filepath.Join(out, "first"), filepath.Join(data, "val", "quarter0", "0.png")
	require.Equal(t, exitOK, command(t, trainArgs(data, out)...).code)
	for setting, want := range map[string]string{
		"model: nonsense": `unknown network "nonsense"`, "model: ''": "model", "model: googlenet": "width multiplier", "heads: nonsense:1:2:3": "nonsense", "heads: inception3a:-1": "inception3a",
		"heads: none": "its tensors are not those", "image-size: -5": "image-size", "image-size: 4": "too small", "image-size: 99999": "image-size", "width: 16": "its tensors are not those",
		"width: -1": "width", "batch: 0": "batch", "batch: -8": "batch", "channels: 1": "means of 3 channels", "label-smoothing: 7": "label-smoothing", "device: toaster": "device",
	} {
		path := forgeConfig(t, filepath.Join(run, "checkpoints", "best.ckpt"), setting)
		for _, args := range [][]string{{"eval", "--checkpoint", path}, {"predict", image, "--checkpoint", path}, {"export", "--out", filepath.Join(out, "m.onnx"), "--checkpoint", path}, {"train", "--resume", path}} {
			r := command(t, args...)
			require.Equal(t, exitFailure, r.code, "%s: %v: %s", setting, args, r.errors)
			require.Contains(t, r.errors, "checkpoint "+path+": ", setting)
			require.Contains(t, r.errors, want, setting)
			require.Equal(t, 1, strings.Count(r.errors, path), r.errors)
		}
	}
}

// forgeConfig writes a run's folder with a checkpoint that has a changed setting and a correct
// checksum.
func forgeConfig(t *testing.T, from, setting string) string {
	t.Helper()
	ck, err := train.OpenCheckpoint(from)
	require.NoError(t, err)
	defer ck.Close()
	f, err := interop.Open(from)
	require.NoError(t, err)
	defer f.Close()
	var tensors []interop.Tensor
	for _, name := range f.Names() {
		v, err := f.Tensor(name)
		require.NoError(t, err)
		tensors = append(tensors, v)
	}
	key, _, _ := strings.Cut(setting, ":")
	var lines strings.Builder
	for line := range strings.Lines(f.Metadata["config"]) {
		if !strings.HasPrefix(line, key+":") {
			lines.WriteString(line)
		}
	}
	f.Metadata["sha256"] = strings.Repeat("0", 64)
	f.Metadata["config"] = lines.String() + setting + "\n"
	dir := filepath.Join(t.TempDir(), "forged")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "checkpoints"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.yaml"), nil, 0o644))
	path := filepath.Join(dir, "checkpoints", "forged.ckpt")
	require.NoError(t, interop.WriteFile(path, tensors, f.Metadata))
	text, err := os.ReadFile(path) // the sum is over the file with zeros in the sum's place
	require.NoError(t, err)
	sum := sha256.Sum256(text)
	require.NoError(t, os.WriteFile(path, bytes.Replace(text, []byte(f.Metadata["sha256"]), []byte(hex.EncodeToString(sum[:])), 1), 0o644))
	return path
}
