package main

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/interop"
)

// The input that a run is given is in its configuration, its checkpoints and exports. eval, predict
// and a run from its weights use the same.
func TestInput(t *testing.T) {
	data, out, dir := squares(t), t.TempDir(), t.TempDir()
	const input = "16×16, mean 0.1,0.2,0.3, std 0.4,0.4,0.4, resize 20 bicubic"
	r := command(t, trainArgs(data, out, "--epochs", "1", "--name", "first", "--mean", "0.1,0.2,0.3", "--std", "0.4", "--crop", "0.8", "--interpolation", "bicubic",
		"--exif-orientation")...)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.out, "input: "+input+", turned as EXIF says\n")
	run := filepath.Join(out, "first")
	config, err := os.ReadFile(filepath.Join(run, "config.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(config), "mean: 0.1,0.2,0.3\nstd: 0.4,0.4,0.4\nresize: \"20\"\ncrop: 0.8\ninterpolation: bicubic\nexif-orientation: true\n")

	r = command(t, "eval", "--checkpoint", run)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.out, "input: "+input+", turned as EXIF says\n")
	r = command(t, "predict", "--checkpoint", run, "--json", data)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.errors, "images are prepared for "+input+", turned as EXIF says; as in training\n")

	for _, name := range []string{"w.safetensors", "w.onnx"} {
		r = command(t, "export", "--checkpoint", run, "--out", filepath.Join(dir, name))
		require.Equal(t, exitOK, r.code, r.errors)
	}
	f, err := interop.Open(filepath.Join(dir, "w.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	model, err := os.ReadFile(filepath.Join(dir, "w.onnx"))
	require.NoError(t, err)
	for key, want := range map[string]string{"mean": "[0.1,0.2,0.3]", "std": "[0.4,0.4,0.4]", "image_size": "16", "resize": "20", "crop": "0.8",
		"interpolation": "bicubic", "exif_orientation": "true"} {
		require.Equal(t, want, f.Metadata[key], key)
		require.Contains(t, string(model), "\n"+string(rune(len(key)))+key+"\x12"+string(rune(len(want)))+want)
	}

	for name, init := range map[string]string{"from-checkpoint": run, "from-file": f.Path} {
		r = command(t, trainArgs(data, out, "--epochs", "1", "--name", name, "--init", init)...)
		require.Equal(t, exitOK, r.code, r.errors)
		require.Contains(t, r.out, "input: "+input+"\n", name)
		require.Contains(t, r.errors, "was trained on images that were turned as their EXIF says, those of this run are not: --exif-orientation turns them")
	}
	r = command(t, trainArgs(data, out, "--epochs", "1", "--name", "own", "--init", f.Path, "--mean", "0.5", "--resize", "17")...)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.out, "input: 16×16, mean 0.5,0.5,0.5, std 0.4,0.4,0.4, resize 17 bicubic\n")

	r = command(t, "train", "--resume", run, "--mean", "0.5,0.5,0.5")
	require.Contains(t, r.errors, "mean: 0.1,0.2,0.3 in the checkpoint, 0.5,0.5,0.5 now")
	require.NotEqual(t, exitOK, r.code)
}

// Training, eval and predict prepare images alike, whether they come from folders or archives.
func TestPredictOfArchives(t *testing.T) {
	data, out := squares(t), t.TempDir()
	archive := filepath.Join(t.TempDir(), "all.tar")
	file, err := os.Create(archive)
	require.NoError(t, err)
	w := tar.NewWriter(file)
	require.NoError(t, filepath.WalkDir(data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		name, err := filepath.Rel(data, path)
		require.NoError(t, err)
		require.NoError(t, w.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Size: int64(len(text)), Mode: 0o644}))
		_, err = w.Write(text)
		return err
	}))
	require.NoError(t, w.Close())
	require.NoError(t, file.Close())
	predict := func(spec, name string) {
		args := trainArgs(data, out, "--epochs", "1", "--name", name)
		for i, a := range args {
			if a == "--data" {
				args[i+1] = spec
			}
		}
		r := command(t, args...)
		require.Equal(t, exitOK, r.code, r.errors)
		r = command(t, "predict", "--checkpoint", filepath.Join(out, name), "--json", filepath.Join(data, "val"))
		require.Equal(t, exitOK, r.code, r.errors)
		require.Contains(t, r.errors, "resize 18 bilinear")
		right := 0
		for line := range strings.Lines(r.out) {
			var p tributary.Prediction
			require.NoError(t, json.Unmarshal([]byte(line), &p))
			if filepath.Base(filepath.Dir(p.File)) == p.Classes[0].Class {
				right++
			}
		}
		r = command(t, "eval", "--checkpoint", filepath.Join(out, name), "--heads", "main")
		require.Equal(t, exitOK, r.code, r.errors)
		require.Contains(t, r.out, fmt.Sprintf("(%d)", right), "predict finds as many as eval: %s", r.out)
	}
	predict("folder:"+data, "f")
	predict("tar:"+filepath.Dir(archive), "t")
}

// A file with timm's config.json beside it starts a run that prepares images as the weights expect,
// and says so.
func TestInitWithConfigBeside(t *testing.T) {
	weights, _ := googlenetFiles(t)
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(weights), "config.json"), []byte(`{"architecture":"googlenet","pretrained_cfg":`+
		`{"mean":[0.25,0.25,0.25],"std":[0.5,0.5,0.5],"interpolation":"bicubic","crop_pct":0.95}}`), 0o600))
	r := command(t, "train", "--model", "googlenet", "--data", "folder:"+squares(t), "--image-size", "32", "--batch", "24", "--epochs", "1",
		"--warmup", "0", "--heads", "none", "--out", t.TempDir(), "--name", "x", "--init", weights)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.out, "input: 32×32, mean 0.25,0.25,0.25, std 0.5,0.5,0.5, resize 33 bicubic\n")
	require.Contains(t, r.errors, "config.json says")
}
