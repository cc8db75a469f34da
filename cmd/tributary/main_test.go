package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
)

// result is what a command line did.
type result struct {
	code        int
	out, errors string
}

// withoutNotes is what a command says on stderr, without what it notes in passing.
func withoutNotes(errors string) string {
	var rest strings.Builder
	for line := range strings.Lines(errors) {
		if !strings.HasPrefix(line, "note: ") {
			rest.WriteString(line)
		}
	}
	return rest.String()
}

func command(t *testing.T, args ...string) result {
	t.Helper()
	var out, errors bytes.Buffer
	code := execute(context.Background(), args, &out, &errors)
	return result{code, out.String(), errors.String()}
}

// squares writes class folders with images of 16×16 pixels: the class is the bright quarter.
func squares(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for part, n := range map[string]int{"train": 12, "val": 5} {
		for class := range 4 {
			dir := filepath.Join(root, part, fmt.Sprintf("quarter%d", class))
			require.NoError(t, os.MkdirAll(dir, 0o755))
			for i := range n {
				writeImage(t, filepath.Join(dir, fmt.Sprintf("%d.png", i)), class, graph.NewRandom(uint64(i), dir[len(root):]))
			}
		}
	}
	return root
}

func writeImage(t *testing.T, path string, class int, r *graph.Random) {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for y := range 16 {
		for x := range 16 {
			v := 100 * r.Uniform()
			if 2*(y/8)+x/8 == class {
				v += 150
			}
			m.Set(x, y, color.RGBA{uint8(v), uint8(v / 2), 40, 255})
		}
	}
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, png.Encode(f, m))
}

// trainArgs is a run of a few updates.
func trainArgs(data, out string, more ...string) []string {
	return append([]string{"train", "--data", "folder:" + data, "--image-size", "16", "--width", "0.25", "--batch", "8",
		"--epochs", "2", "--augment", "none", "--out", out, "--name", "first", "--warmup", "0.2", "--lr", "0.02"}, more...)
}

func TestHelp(t *testing.T) {
	root := command(t)
	require.Equal(t, exitOK, root.code)
	for _, name := range []string{"train", "ablate", "eval", "predict", "export", "inspect", "gradflow", "grads", "version", "completion"} {
		require.Contains(t, root.out, name)
		r := command(t, name, "--help")
		require.Equal(t, exitOK, r.code)
		require.Contains(t, r.out, "Usage:")
		if name != "completion" {
			require.Contains(t, r.out, "Examples:\n  tributary "+name)
		}
	}
	help := command(t, "train", "--help").out
	for _, want := range []string{"Network:", "--head-schedule", "--ema decay", "cosine[:LEAST]", "sgd 0.05", `default "inception_small"`, "--resume"} {
		require.Contains(t, help, want)
	}
}

// Wrong command lines give one message, with the nearest names, and exit code 2.
func TestUsageErrors(t *testing.T) {
	config := filepath.Join(t.TempDir(), "run.yaml")
	require.NoError(t, os.WriteFile(config, []byte("model: inception_small\nepoch: 3\n"), 0o644))
	for args, want := range map[string]string{
		"trian":                                  `unknown command "trian"; the nearest: train`,
		"train --modle x":                        "unknown flag --modle; the nearest: --model",
		"train extra":                            `"extra"`,
		"train --model googlenett":               "the nearest: googlenet",
		"train --data cifar":                     "the nearest: cifar10",
		"train --epochs x":                       `"x" is not possible: it is a whole number`,
		"train --epochs 0":                       "from 1 to",
		"train --optimizer adam":                 "did you mean adamw?",
		"train --optimizer adamw --momentum 0.9": "adamw has none",
		"train --schedule cosin":                 "cosine",
		"train --device cuda":                    "this binary was built without CUDA",
		"train --precision fp16":                 "fp32, tf32, bf16 or fp64",
		"train --heads inception3x":              "the nearest: inception3a",
		"train --heads inception3a:0.3:gapp":     "the nearest: gap",
		"train --resume missing":                 "name a run's folder",
		"train --config missing.yaml":            "missing.yaml",
		"train --config " + config:               `run.yaml: line 2: unknown key "epoch"; the nearest: epochs`,
		"train --image-size 5":                   "the smallest that works",
		"eval":                                   "--checkpoint runs/NAME",
		"eval --checkpoint missing":              "name a run's folder",
		"eval --checkpoint x --heads some":       "all or main",
		"inspect --model inception":              "the nearest: inception_v3",
		"inspect --classes 1":                    "at least 2",
		"grads --model googlenet":                "--weights is missing",
		"version now":                            `"now"`,
	} {
		r := command(t, strings.Fields(args)...)
		require.Equal(t, exitUsage, r.code, "%s: %s", args, r.errors)
		require.Contains(t, r.errors, want, args)
		require.Contains(t, r.errors, "tributary: ", args)
		require.NotContains(t, r.errors, "Usage:", args)
		require.LessOrEqual(t, strings.Count(r.errors, "\n"), 2, r.errors)
		require.Empty(t, r.out, args)
	}
}

func TestVersion(t *testing.T) {
	r := command(t, "version")
	require.Equal(t, exitOK, r.code)
	require.Contains(t, r.out, "tributary ")
	require.Contains(t, r.out, "go1.")
	require.Contains(t, r.out, "threads")
	jpeg, why := dataset.JPEGDecoder()
	require.Contains(t, r.out, "JPEG    decoded by "+jpeg+" ("+why+")")
}

func TestCompletion(t *testing.T) {
	for args, want := range map[string]string{
		"train --model":           "googlenet2014",
		"train --data":            "cifar10",
		"train --augment":         "crop-flip",
		"train --optimizer":       "rmsprop_tf",
		"train --schedule":        "poly",
		"train --head-schedule":   "linear",
		"train --heads":           "inception3a/tower3x3",
		"inspect --model":         "inception_v3",
		"eval --heads":            "main",
		"eval --early-exit":       "entropy=",
		"predict --device":        "cuda",
		"inspect --heads a,b:.1:": "b:.1:gap",
	} {
		all := append([]string{"__complete"}, strings.Fields(args)...)
		if !strings.HasSuffix(args, ":") {
			all = append(all, "")
		}
		require.Contains(t, command(t, all...).out, want, args)
	}
	require.Contains(t, command(t, "completion", "bash").out, "bash completion")
}

// No command makes or reads a file in the folder for temporary ones: others may write there, and it may be full, or not there at all.
func TestNoTemporaryFiles(t *testing.T) {
	data, out, tmp := squares(t), t.TempDir(), filepath.Join(t.TempDir(), "none")
	run := filepath.Join(out, "first")
	for _, args := range [][]string{
		{"version"}, {"--help"}, {"devices"}, {"inspect", "--svg", filepath.Join(out, "n.svg")}, trainArgs(data, out, "--heads", "auto"),
		append([]string{"gradflow", "--updates", "2"}, trainArgs(data, out, "--name", "flow")[1:]...), {"eval", "--checkpoint", run},
		{"predict", "--checkpoint", run, filepath.Join(data, "val")}, {"export", "--checkpoint", run, "--out", filepath.Join(out, "m.safetensors")},
		{"export", "--checkpoint", run, "--out", filepath.Join(out, "m.onnx")},
		ablateArgs(data, out, "--name", "ablation", "--seeds", "1", "--epochs", "1"),
	} {
		cmd := program(t, args...)
		cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
		text, err := cmd.CombinedOutput()
		require.NoError(t, err, "%v: %s", args, text)
		require.NoDirExists(t, tmp)
	}
}
