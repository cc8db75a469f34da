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

// result is the result of a command line.
type result struct {
	code        int
	out, errors string
}

// withoutNotes returns a command's stderr without its notes.
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

// squares writes class folders with images of 16×16 pixels. The class is the bright quarter.
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

// trainArgs returns the arguments of a run of a few updates.
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

// A wrong command line gives one message, with the nearest names, and exit code 2.
func TestUsageErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(file, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	write("run.yaml", "model: inception_small\nepoch: 3\n")
	write("other.yaml", "learning_rate: 0.1\n")
	write("photos/train/cat/1.jpg", "")
	write("a b/train/cat/1.jpg", "")
	write("one.tar", "")
	write("runs/x/checkpoints/last.ckpt", "")
	write("x.pth", "PK\x03\x04 and more")
	for args, want := range map[string]string{
		"trian":                                  `unknown command "trian"; the nearest: train`,
		"frobnicate":                             `unknown command "frobnicate"; there are ablate, `,
		"train --modle x":                        `unknown flag "--modle"; the nearest: --model`,
		"train extra":                            `unexpected argument "extra"; see tributary train --help`,
		"train --model googlenett":               "the nearest: googlenet",
		"train --model resnet50":                 "there are googlenet2014, ",
		"train --model inception_v1":             "the nearest: ",
		"train --model BN-Inception":             "the nearest: googlenet",
		"train --data cifar":                     "did you mean cifar10?",
		"train --data photo":                     "did you mean photos?",
		"train --data ./photo/":                  "did you mean photos?",
		"train --data one.tar":                   "tar:",
		"train --epochs x":                       `"x" is not possible: it is a whole number`,
		"train --epochs 0":                       "from 1 to",
		"train --epochs 1e2":                     "did you mean 100?",
		"train --lr 0,1":                         "did you mean 0.1?",
		"train --optimizer adam":                 "did you mean adamw?",
		"train --optimizer adamw --momentum 0.9": "adamw has none",
		"train --optimizer SGDMomentum":          "did you mean sgd?",
		"train --schedule cosin":                 "cosine",
		"train --schedule MultiStepLR":           "the nearest: step",
		"train --schedule zzz":                   "there are constant, step, ",
		"train --device cuda":                    "this binary was built without CUDA",
		"train --device gpu":                     "this binary was built without CUDA",
		"train --device gpu:1":                   "this binary was built without CUDA",
		"train --device mps":                     "the nearest: cpu",
		"train --precision fp16":                 "fp32, tf32, bf16 or fp64; did you mean bf16?",
		"train --precision mixed":                "did you mean bf16?",
		"train --augment RandAugment":            "did you mean inception?",
		"train --augment cutout":                 "did you mean crop-flip-cutout?",
		"train --heads inception3x":              "the nearest: inception3a",
		"train --heads inception3a:0.3:gapp":     "the nearest: gap",
		"train --resume missing":                 "name a run's folder",
		"train --config missing.yaml":            "missing.yaml",
		"train --config run.yaml":                `run.yaml: line 2: unknown key "epoch"; here it is epochs`,
		"train --config other.yaml":              `other.yaml: line 1: unknown key "learning_rate"; here it is lr`,
		"train --image-size 5":                   "the smallest that works",
		"train --learning-rate 0.1":              `unknown flag "--learning-rate"; here it is --lr; see`,
		"train --batch_size 3":                   "here it is --batch;",
		"train --weight_decay 3":                 "here it is --weight-decay;",
		"train -lr 3":                            `unknown flag "-lr"; here it is --lr;`,
		"train -b 3":                             "here it is --batch;",
		"train --amp":                            "here it is --precision bf16;",
		"train --pretrained":                     "here it is --init;",
		"eval --weights x":                       "here it is --checkpoint;",
		"predict --ckpt x":                       "here it is --checkpoint;",
		"train --ckpt x":                         "here it is --resume;",
		"train photos":                           "did you mean --data folder:photos?",
		"train run.yaml":                         "did you mean --config run.yaml?",
		"train runs/x":                           "did you mean --resume runs/x?",
		"train InceptionV3":                      "did you mean --model inception_v3?",
		"train --nesterov false":                 "did you mean --nesterov=false?",
		"eval runs/x":                            "did you mean --checkpoint runs/x?",
		"export runs/nowhere":                    "did you mean --checkpoint runs/nowhere?",
		"gradflow runs/x":                        "did you mean --",
		"inspect googlenet":                      "did you mean --model googlenet?",
		"eval":                                   "such as --checkpoint last or --checkpoint runs/NAME",
		"predict cat.jpg":                        "such as --checkpoint last or --checkpoint runs/NAME",
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
	require.Contains(t, command(t, "train", "a b").errors, "did you mean --data 'folder:a b'?")
	for args, want := range map[string]string{
		"train --data folder:phtos":             "phtos: no such file or directory (did you mean photos?)",
		"train --init x.pth":                    "x.pth: is a PyTorch file",
		"predict --checkpoint x.pth cat.jpg":    "x.pth: is a PyTorch file",
		"predict --checkpoint run.yaml cat.jpg": "is a text about a run (name a run's folder",
	} {
		r := command(t, strings.Fields(args)...)
		require.Equal(t, exitFailure, r.code, "%s: %s", args, r.errors)
		require.Contains(t, r.errors, want, args)
	}
}

// Other spellings are accepted.
func TestSpellings(t *testing.T) {
	for args, want := range map[string]string{
		"--model InceptionV3 --heads none":              "inception_v3: ",
		"--model GoogLeNet --image-size 64":             "googlenet: ",
		"--model inception-resnet-v2 --heads None":      "inception_resnet_v2: ",
		"--model inception_small --precision float32":   "plans for CPU",
		"--model inception_small --precision BF16":      "plans for CPU",
		"--model inception_small --device CPU":          "CPU",
		"--model Inception_Small --heads Default":       "inception_small: ",
		"--model inception_small --heads inception3a:1": "inception3a",
	} {
		r := command(t, append([]string{"inspect", "--batch", "1"}, strings.Fields(args)...)...)
		require.Equal(t, exitOK, r.code, "%s: %s", args, r.errors)
		require.Contains(t, r.out, want, args)
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

// No command writes or reads a file in the folder for temporary files: others may write there, and
// it may be full or missing.
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
