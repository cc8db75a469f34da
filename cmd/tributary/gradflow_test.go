package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/draw/drawtest"
	"github.com/tributary-ml/tributary/gradflow"
)

func TestGradflow(t *testing.T) {
	data, out := squares(t), t.TempDir()
	args := append([]string{"gradflow"}, trainArgs(data, out)[1:]...)
	svg := filepath.Join(out, "flow.svg")
	r := command(t, append(args, "--updates", "5", "--gradflow-every", "2", "--svg", svg)...)
	require.Equal(t, exitOK, r.code, r.errors)
	run := filepath.Join(out, "first")
	for _, want := range []string{"ended after 5 updates", "train --resume", "after 4 updates", "from main", "from aux1", "cos m·aux1", "upd/weight",
		"inception3a", "dead ReLU channels: ", "report on 3 measurements: " + filepath.Join(run, "gradflow.html")} {
		require.Contains(t, r.out, want)
	}

	text, err := os.ReadFile(svg)
	require.NoError(t, err)
	drawtest.RequireInert(t, text)
	for _, want := range []string{"gradient of main at inception3a: ", "gradient of aux1 at inception3b: ", "#c00000", "#e07b00", "loss "} {
		require.Contains(t, string(text), want)
	}
	require.NotContains(t, string(text), "gradient of aux1 at inception4a", "it does not come from above it")

	page, err := os.ReadFile(filepath.Join(run, "gradflow.html"))
	require.NoError(t, err)
	found := regexp.MustCompile(`const data = (\{.*?\}), flows`).FindSubmatch(page)
	require.NotNil(t, found)
	var report struct {
		Flows []gradflow.Flow
		Edges []struct {
			ID       string
			Gradient []float64
		}
	}
	require.NoError(t, json.Unmarshal(found[1], &report))
	require.Len(t, report.Flows, 3)
	require.Equal(t, []string{"main", "aux1", "aux2"}, report.Flows[0].Heads)
	require.NotEmpty(t, report.Edges)
	for _, e := range report.Edges {
		require.Len(t, e.Gradient, 3)
		require.Contains(t, string(page), `<g id="`+e.ID+`"`)
	}
	require.NotRegexp(t, `(src|href)="http`, string(page), "the report needs nothing else")

	again := command(t, "gradflow", "--run", run, "--layers", "--html", filepath.Join(out, "again.html"))
	require.Equal(t, exitOK, again.code, again.errors)
	require.Contains(t, again.out, "inception3a/tower3x3/3x3/conv")
	require.Contains(t, again.out, "inception3a/tower3x3 ")
	require.FileExists(t, filepath.Join(out, "again.html"))
	resumed := command(t, "train", "--resume", run)
	require.Equal(t, exitOK, resumed.code, resumed.errors)
}

func TestGradflowErrors(t *testing.T) {
	data, out := squares(t), t.TempDir()
	require.Equal(t, exitOK, command(t, trainArgs(data, out)...).code)
	for args, want := range map[string]string{
		"--run " + out + "/none":                "none/config.yaml",
		"--run " + out + "/first":               "train with --gradflow-every N",
		"--run " + out + "/first --model other": "--model: the run",
		"--updates 0":                           "at least 1",
		"--model inception_smal":                "inception_small",
		"--gradflow-every -1":                   "gradflow-every",
	} {
		r := command(t, append([]string{"gradflow"}, strings.Fields(args)...)...)
		require.NotEqual(t, exitOK, r.code, args)
		require.Contains(t, r.errors, want, args)
	}
}

// The configuration of a run names heads that a short run has placed, so that repeating it needs no
// such run.
func TestHeadsAuto(t *testing.T) {
	data, out := squares(t), t.TempDir()
	r := command(t, append(trainArgs(data, out), "--heads", "auto")...)
	require.Equal(t, exitOK, r.code, r.errors)
	found := regexp.MustCompile(`heads auto: (\S+), from \d+ measurements in 40 updates`).FindStringSubmatch(r.out)
	require.NotNil(t, found, r.out)
	config, err := os.ReadFile(filepath.Join(out, "first", "config.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(config), "heads: "+found[1])
	left, err := filepath.Glob(filepath.Join(out, ".*"))
	require.NoError(t, err)
	require.Empty(t, left, "the short run leaves nothing")
	again := command(t, "train", "--config", filepath.Join(out, "first", "config.yaml"), "--name", "second")
	require.Equal(t, exitOK, again.code, again.errors)
	require.Equal(t, rows(r.out), rows(again.out))
	require.NotContains(t, again.out, "heads auto")

	r = command(t, "inspect", "--heads", "auto")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.errors, "only train, gradflow and ablate look for them")
}
