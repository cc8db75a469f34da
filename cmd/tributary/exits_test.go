package main

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/interop"
)

// trained trains a small run with two heads. It returns the run's folder and the folder of its
// images.
func trained(t *testing.T, more ...string) (run, data string) {
	t.Helper()
	data, out := squares(t), t.TempDir()
	r := command(t, trainArgs(data, out, more...)...)
	require.Equal(t, exitOK, r.code, r.errors)
	return filepath.Join(out, "first"), data
}

func TestEvalEarlyExit(t *testing.T) {
	run, _ := trained(t, "--ema", "0.5")
	plain := command(t, "eval", "--checkpoint", run)
	require.Equal(t, exitOK, plain.code, plain.errors)
	accuracy := regexp.MustCompile(`main .* (\d+\.\d)\d % \((\d+)\)  `).FindStringSubmatch(plain.out)
	require.NotNil(t, accuracy, plain.out)

	for _, rule := range []string{"entropy=0", "confidence=1", "entropy=0/0"} {
		r := command(t, "eval", "--checkpoint", run, "--early-exit", rule, "--batch", "3")
		require.Equal(t, exitOK, r.code, r.errors)
		for _, want := range []string{"20 images", "moving averages", "early exit " + rule, "aux1     inception3b", "0 (0.0 %)           -", "20 (100.0 %)", "images/s"} {
			require.Contains(t, r.out, want)
		}
		require.Regexp(t, `with early exits +`+accuracy[1]+` %`, r.out, "an image that never leaves early is told by the main head")
		require.Regexp(t, `main head alone +`+accuracy[1]+` %.* 100.0 %`, r.out)
	}
	all := command(t, "eval", "--checkpoint", run, "--early-exit", "confidence=0", "--exits", "aux2,main")
	require.Equal(t, exitOK, all.code, all.errors)
	require.NotContains(t, all.out, "aux1")
	require.Regexp(t, `aux2 +inception4b +20 \(100\.0 %\)`, all.out)

	budget := command(t, "eval", "--checkpoint", run, "--early-exit", "budget=0.8:confidence")
	require.Equal(t, exitOK, budget.code, budget.errors)
	for _, want := range []string{"val, 10 images", "the other 10 of the 20 images", "at most 80.0 %", "early exit confidence="} {
		require.Contains(t, budget.out, want)
	}
	again := command(t, "eval", "--checkpoint", run, "--early-exit", "budget=0.8:confidence", "--threads", "1")
	rule := regexp.MustCompile(`early exit \S+`)
	require.Equal(t, rule.FindString(budget.out), rule.FindString(again.out))

	for args, want := range map[string]string{
		"--early-exit entropy=2":                       "threshold 2 is not from 0 to 1.386",
		"--early-exit entropy=0.1/0.2/0.3":             "3 thresholds for 2 exits (aux1, aux2)",
		"--early-exit entropy=0.1 --exits aux3":        `unknown head of inception_small "aux3"; the nearest: aux1`,
		"--early-exit budget=0.01":                     "even if every image leaves at aux1",
		"--early-exit entropy=0.1 --device cuda":       "built without CUDA",
		"--early-exit entropy=0.1 --device gpu":        "device",
		"--early-exit entropy=0.1 --data mnist:absent": "absent",
	} {
		r := command(t, append([]string{"eval", "--checkpoint", run}, strings.Fields(args)...)...)
		require.NotEqual(t, exitOK, r.code, args)
		require.Contains(t, r.errors, want, args)
	}
}

func TestEvalCurve(t *testing.T) {
	run, _ := trained(t)
	dir := t.TempDir()
	table := filepath.Join(dir, "curve.csv")
	r := command(t, "eval", "--checkpoint", run, "--early-exit", "curve", "--out", table)
	require.Equal(t, exitOK, r.code, r.errors)
	for _, want := range []string{"accuracy against computation", "entropy", "points written to"} {
		require.Contains(t, r.out, want)
	}
	f, err := os.Open(table)
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"entropy", "images", "hits", "accuracy", "macs", "share", "left_aux1", "left_aux2", "left_main"}, rows[0])
	require.Equal(t, []string{"0", "20"}, rows[1][:2])
	require.Equal(t, []string{"0", "0", "20"}, rows[1][6:])
	require.Equal(t, []string{"20", "0", "0"}, rows[len(rows)-1][6:])

	// A point of the curve equals the result of its threshold.
	point := rows[len(rows)/2]
	r = command(t, "eval", "--checkpoint", run, "--early-exit", "entropy="+point[0])
	require.Equal(t, exitOK, r.code, r.errors)
	require.Regexp(t, `aux1 +inception3b +`+point[6]+` \(`, r.out)
	require.Regexp(t, `main +`+point[8]+` \(`, r.out)

	object := filepath.Join(dir, "curve.json")
	r = command(t, "eval", "--checkpoint", run, "--early-exit", "curve:confidence", "--out", object)
	require.Equal(t, exitOK, r.code, r.errors)
	text, err := os.ReadFile(object)
	require.NoError(t, err)
	var curve struct {
		Measure string
		Exits   []struct{ Name, At string }
		Points  []struct {
			Threshold float64
			Left      []int
		}
	}
	require.NoError(t, json.Unmarshal(text, &curve))
	require.Equal(t, "confidence", curve.Measure)
	require.Equal(t, "inception4b", curve.Exits[1].At)
	require.Equal(t, []int{0, 0, 20}, curve.Points[0].Left)
	drawing := filepath.Join(dir, "curve.svg")
	require.Zero(t, command(t, "eval", "--checkpoint", run, "--early-exit", "curve", "--out", drawing).code)
	text, err = os.ReadFile(drawing)
	require.NoError(t, err)
	require.Contains(t, string(text), "early exits by entropy, inception_small")

	alone, _ := trained(t, "--heads", "none")
	r = command(t, "eval", "--checkpoint", alone, "--early-exit", "curve")
	require.Equal(t, exitFailure, r.code)
	require.Contains(t, r.errors, "has no heads to leave at: train it with some")
}

func TestPredict(t *testing.T) {
	run, data := trained(t)
	photos := filepath.Join(data, "val", "quarter1")
	one := filepath.Join(photos, "3.png")
	plain := command(t, "predict", "--checkpoint", run, one, photos)
	require.Equal(t, exitOK, plain.code, plain.errors)
	require.Equal(t, 6, strings.Count(plain.out, ".png\n"))
	require.Equal(t, 24, strings.Count(plain.out, " %  quarter"), "four classes of each")
	require.True(t, strings.HasPrefix(plain.out, one+"\n"))

	type line struct {
		File, Exit string
		Classes    []struct {
			Class       string
			Label       int
			Probability float64
		}
	}
	read := func(args ...string) (lines []line) {
		r := command(t, append([]string{"predict", "--checkpoint", run, "--json"}, args...)...)
		require.Equal(t, exitOK, r.code, r.errors)
		for text := range strings.Lines(r.out) {
			var l line
			require.NoError(t, json.Unmarshal([]byte(text), &l), text)
			lines = append(lines, l)
		}
		return lines
	}
	whole := read(photos)
	require.Len(t, whole, 5)
	sum := 0.0
	for i, c := range whole[0].Classes {
		sum += c.Probability
		require.True(t, i == 0 || c.Probability <= whole[0].Classes[i-1].Probability)
	}
	require.InDelta(t, 1, sum, 1e-9)
	require.Equal(t, "main", whole[0].Exit)
	alone := read(one)[0]
	require.Equal(t, whole[3].File, alone.File)
	for i, c := range whole[3].Classes {
		require.Equal(t, c.Class, alone.Classes[i].Class)
		require.InDelta(t, c.Probability, alone.Classes[i].Probability, 1e-6, "an image alone is what it is among others, but for rounding")
	}

	// The classes are those that eval counts.
	hits := 0
	for _, l := range read("--top", "1", filepath.Join(data, "val")) {
		require.Len(t, l.Classes, 1)
		if filepath.Base(filepath.Dir(l.File)) == l.Classes[0].Class {
			hits++
		}
	}
	eval := command(t, "eval", "--checkpoint", run, "--heads", "main")
	require.Regexp(t, fmt.Sprintf(`main .*\(%d\)  .*\(20\)`, hits), eval.out)

	require.Equal(t, "aux1", read("--early-exit", "confidence=0", one)[0].Exit)
	require.Equal(t, "aux2", read("--early-exit", "confidence=0", "--exits", "aux2", one)[0].Exit)
	never := read("--early-exit", "entropy=0", photos)
	for i := range whole {
		require.Equal(t, "main", never[i].Exit)
		require.InDelta(t, whole[i].Classes[0].Probability, never[i].Classes[0].Probability, 1e-6)
	}
	left := command(t, "predict", "--checkpoint", run, "--early-exit", "confidence=0", one)
	require.Contains(t, left.out, "3.png  (left at aux1)\n")

	// An unreadable file is reported, the rest goes on, and the exit code shows the failure.
	require.NoError(t, os.WriteFile(filepath.Join(photos, "1.png"), []byte("no image"), 0o644))
	for _, batch := range []string{"1", "2", "32"} {
		bad := command(t, "predict", "--checkpoint", run, "--json", "--batch", batch, photos, filepath.Join(photos, "9.png"), one)
		require.Equal(t, exitFailure, bad.code)
		require.Equal(t, 5, strings.Count(bad.out, "\n"), "all others")
		problems := strings.Split(strings.TrimSpace(withoutNotes(bad.errors)), "\n")
		require.Len(t, problems, 3, bad.errors)
		require.Contains(t, problems[0], "tributary: "+filepath.Join(photos, "1.png")+": ")
		require.Contains(t, problems[1], "tributary: "+filepath.Join(photos, "9.png")+": no such file or directory")
		require.Equal(t, "tributary: 2 of 7 images could not be read", problems[2])
	}
	skipped := command(t, "predict", "--checkpoint", run, "--skip-bad", "--json", photos)
	require.Equal(t, exitOK, skipped.code)
	require.Equal(t, 4, strings.Count(skipped.out, "\n"))
	require.Contains(t, skipped.errors, "warning: "+filepath.Join(photos, "1.png"))

	// Both streams together have everything in order.
	var both bytes.Buffer
	code := execute(t.Context(), []string{"predict", "--checkpoint", run, "--top", "1", "--batch", "2", photos}, &both, &both)
	require.Equal(t, exitFailure, code)
	require.Regexp(t, `(?s)^[^\n]*0\.png\n[^\n]*\ntributary: [^\n]*1\.png: [^\n]*\n[^\n]*2\.png\n`, withoutNotes(both.String()))
	curve := command(t, "predict", "--checkpoint", run, "--early-exit", "curve", one)
	require.Equal(t, exitUsage, curve.code)
	require.Contains(t, curve.errors, "needs labelled images")
}

func TestExitUsageErrors(t *testing.T) {
	for args, want := range map[string]string{
		"eval --checkpoint x --early-exit gini=1":             "unknown rule of early exits",
		"eval --checkpoint x --early-exit entropy=x":          `threshold "x"`,
		"eval --checkpoint x --early-exit curve --heads main": "--exits",
		"eval --checkpoint x --exits aux1":                    "--exits goes with --early-exit",
		"eval --checkpoint x --out c.csv":                     "--out goes with --early-exit curve",
		"eval --checkpoint x --early-exit curve --out c.txt":  ".csv, .json, .svg",
		"predict --checkpoint x":                              "name image files, or folders of them; see tributary predict --help",
		"predict x.png":                                       "such as --checkpoint last or --checkpoint runs/NAME",
		"predict --checkpoint x --top 0 x.png":                "a whole number from 1",
		"export --out x.safetensors":                          "such as --checkpoint last or --checkpoint runs/NAME",
		"export --checkpoint x":                               "--out model.safetensors",
		"export --checkpoint x --out model.pt":                "--out model.pt: the name says which format to write: it ends in .onnx or .safetensors",
	} {
		r := command(t, strings.Fields(args)...)
		require.Equal(t, exitUsage, r.code, "%s: %s", args, r.errors)
		require.Contains(t, r.errors, want, args)
		require.Empty(t, r.out, args)
	}
}

// An exported file has the chosen heads, describes itself, and starts a run of the same network.
func TestExport(t *testing.T) {
	run, data := trained(t)
	dir := t.TempDir()
	export := func(name string, more ...string) *interop.File {
		path := filepath.Join(dir, name)
		r := command(t, append([]string{"export", "--checkpoint", run, "--out", path}, more...)...)
		require.Equal(t, exitOK, r.code, r.errors)
		require.Contains(t, r.out, path)
		f, err := interop.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	heads := func(f *interop.File) (found []string) {
		for _, head := range []string{"aux1", "aux2", "fc"} {
			if slices.ContainsFunc(f.Names(), func(n string) bool { return strings.HasPrefix(n, head+".") }) {
				found = append(found, head)
			}
		}
		return found
	}
	require.Equal(t, []string{"aux1", "aux2", "fc"}, heads(export("all.safetensors")))
	require.Equal(t, []string{"fc"}, heads(export("main.safetensors", "--exits", "main")))
	f := export("some.safetensors", "--exits", "main,aux2")
	require.Equal(t, []string{"aux2", "fc"}, heads(f))
	for key, want := range map[string]string{
		"network": "inception_small", "width": "0.25", "image_size": "16", "channels": "3", "head_specs": "inception4b:0.3:gap", "heads": "aux2.",
		"classes": `["quarter0","quarter1","quarter2","quarter3"]`, "mean": "[0.485,0.456,0.406]", "std": "[0.229,0.224,0.225]",
		"exits": `[{"name":"aux2","at":"inception4b","kind":"gap"},{"name":"main"}]`,
	} {
		require.Equal(t, want, f.Metadata[key], key)
	}

	// The file fits the network that its metadata describe.
	out := t.TempDir()
	r := command(t, trainArgs(data, out, "--heads", f.Metadata["head_specs"], "--init", f.Path, "--epochs", "1")...)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Empty(t, r.errors, "nothing is drawn anew or ignored")

	r = command(t, "export", "--checkpoint", run, "--out", filepath.Join(dir, "x.onnx"), "--exits", "main,aux7")
	require.Equal(t, exitUsage, r.code, r.errors)
	require.Contains(t, r.errors, `exits: unknown head of inception_small "aux7"; the nearest: aux1`)
}

// An exported ONNX model gives the same results as predict, from pixels that are prepared as its
// metadata say. The image has a single colour, which resizing and cutting do not change.
// ONNX_PYTHON is a Python with onnx and onnxruntime (make onnx).
func TestExportONNX(t *testing.T) {
	run, _ := trained(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "model.onnx")
	r := command(t, "export", "--checkpoint", run, "--out", path)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.out, "exits main; left out:")
	r = command(t, "export", "--checkpoint", run, "--exits", "aux1", "--out", filepath.Join(dir, "MODEL.ONNX"))
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.out, "exits main aux1")
	python := os.Getenv("ONNX_PYTHON")
	if python == "" {
		t.Skip("the rest needs onnxruntime: make onnx")
	}
	colour := color.RGBA{200, 30, 90, 255}
	picture := image.NewRGBA(image.Rect(0, 0, 16, 16))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(colour), image.Point{}, draw.Src)
	var encoded bytes.Buffer
	require.NoError(t, png.Encode(&encoded, picture))
	file := filepath.Join(dir, "picture.png")
	require.NoError(t, os.WriteFile(file, encoded.Bytes(), 0o644))
	r = command(t, "predict", "--checkpoint", run, "--json", file)
	require.Equal(t, exitOK, r.code, r.errors)
	var want tributary.Prediction
	require.NoError(t, json.Unmarshal([]byte(r.out), &want))

	evaluate := func(images []float32) (logits []float32, metadata map[string]string) {
		data, err := binary.Append(nil, binary.LittleEndian, images)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "images"), data, 0o644))
		says, err := exec.Command(python, "../../interop/testdata/run_onnx.py", path, filepath.Join(dir, "images"), filepath.Join(dir, "out")).Output()
		require.NoError(t, err)
		var model struct{ Metadata map[string]string }
		require.NoError(t, json.Unmarshal(says, &model))
		out, err := os.ReadFile(filepath.Join(dir, "out"))
		require.NoError(t, err)
		logits = make([]float32, len(want.Classes))
		_, err = binary.Decode(out, binary.LittleEndian, logits)
		require.NoError(t, err)
		return logits, model.Metadata
	}
	images := make([]float32, 3*16*16)
	_, metadata := evaluate(images)
	var mean, std []float32
	require.NoError(t, json.Unmarshal([]byte(metadata["mean"]), &mean))
	require.NoError(t, json.Unmarshal([]byte(metadata["std"]), &std))
	for c, v := range []uint8{colour.R, colour.G, colour.B} {
		for i := range 16 * 16 {
			images[c*16*16+i] = (float32(v)/255 - mean[c]) / std[c]
		}
	}
	logits, _ := evaluate(images)
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v))
	}
	for _, c := range want.Classes {
		require.InDelta(t, c.Probability, math.Exp(float64(logits[c.Label]))/sum, 1e-5, c.Class)
	}
}
