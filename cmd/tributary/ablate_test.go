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
)

// ablateArgs returns the arguments of an ablation with runs of a few updates.
func ablateArgs(data, out string, more ...string) []string {
	return append([]string{"ablate", "--variants", "inception3a:0.1", "--seeds", "2"}, append(trainArgs(data, out)[1:], more...)...)
}

func TestAblate(t *testing.T) {
	data, out := squares(t), t.TempDir()
	folder := filepath.Join(out, "first")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := &cancelAfter{text: "heads inception3a:0.1, seed 1", cancel: cancel}
	var errors bytes.Buffer
	require.Equal(t, exitInterrupted, execute(ctx, ablateArgs(data, out), w, &errors), errors.String())
	require.Contains(t, w.String(), "4 runs, 2 variants with 2 seeds, in "+folder)
	require.Contains(t, w.String(), "tributary ablate --resume "+folder)

	r := command(t, "ablate", "--resume", folder, "--threads", "1")
	require.Equal(t, exitOK, r.code, r.errors)
	require.NotContains(t, r.out, "heads none, seed 1\n", "it is finished")
	for _, want := range []string{"heads none, seed 2\n", "1/2", "verdict", "Compared with no heads:\n  inception3a:0.1: ", "results.md"} {
		require.Contains(t, r.out, want)
	}
	same := command(t, ablateArgs(data, out)...)
	require.Equal(t, exitOK, same.code, same.errors)
	require.NotContains(t, same.out, "heads ", "nothing is left to do")

	// Each run is an ordinary run.
	one := command(t, "eval", "--checkpoint", filepath.Join(folder, "none", "seed2"))
	require.Equal(t, exitOK, one.code, one.errors)

	other := command(t, ablateArgs(data, out, "--epochs", "3")...)
	require.Equal(t, exitFailure, other.code)
	require.Contains(t, other.errors, "epochs: 2 in the ablation "+folder+", 3 now")
}

// Heads "auto" are placed separately for every seed, and the run's configuration names the places.
func TestAblateAuto(t *testing.T) {
	data, out := squares(t), t.TempDir()
	r := command(t, append([]string{"ablate", "--heads", "auto:0.1", "--seeds", "2"}, trainArgs(data, out)[1:]...)...)
	require.Equal(t, exitOK, r.code, r.errors)
	require.Contains(t, r.out, "Compared with no heads:\n  auto:0.1: ")
	found := regexp.MustCompile(`heads auto: (\S+), from`).FindAllStringSubmatch(r.out, -1)
	require.Len(t, found, 2)
	folders, err := filepath.Glob(filepath.Join(out, "first", "auto-*", "seed*"))
	require.NoError(t, err)
	require.Len(t, folders, 2)
	for i, f := range folders {
		config, err := os.ReadFile(filepath.Join(f, "config.yaml"))
		require.NoError(t, err)
		require.Contains(t, string(config), "heads: "+found[i][1]+"\n")
	}
}

func TestAblateUsageErrors(t *testing.T) {
	data, out := squares(t), filepath.Join(t.TempDir(), "runs")
	config := filepath.Join(t.TempDir(), "ablation.yaml")
	require.NoError(t, os.WriteFile(config, []byte("epochs: 3\nablate:\n  seed: 3\n"), 0o644))
	for args, want := range map[string]string{
		"--variants inception9z":        "variant inception9z: ",
		"--variants default;default":    "are the same heads",
		"--heads none":                  "it needs heads to compare with none",
		"--seeds many":                  `seeds: "many" is not possible`,
		"--weights x":                   `weights: "x" is not possible`,
		"--config " + config:            `ablation.yaml: line 3: unknown key "seed"; the nearest: seeds`,
		"--resume missing":              "name the folder of an ablation",
		"--resume missing --name other": "leave the flag out",
	} {
		all := append([]string{"ablate", "--data", "folder:" + data, "--image-size", "16", "--out", out}, strings.Fields(args)...)
		if strings.Contains(args, "--resume") {
			all = append([]string{"ablate"}, strings.Fields(args)...)
		}
		r := command(t, all...)
		require.Equal(t, exitUsage, r.code, args+r.errors)
		require.Contains(t, r.errors, want, args)
		_, err := os.Stat(out)
		require.ErrorIs(t, err, os.ErrNotExist, args)
	}

	r := command(t, "train", "--config", config)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.errors, "has settings of tributary ablate")
}

// The ablations in bench/ are valid.
func TestBenchAblations(t *testing.T) {
	for name, seeds := range map[string]string{"vanishing.yaml": "1,2,3,4,5,6", "vanishing-bn.yaml": "1,2,3"} {
		cmd := newAblate()
		c, options, err := ablationConfig(cmd, trainFlags{config: filepath.Join("..", "..", "bench", name)})
		require.NoError(t, err)
		require.Equal(t, seeds, options.Seeds)
		_, err = new(tributary.Options).Build(c, 10, 3)
		require.NoError(t, err)
	}
}
