package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/auxhead"
)

func TestGradflow(t *testing.T) {
	data, out := squares(t), t.TempDir()
	args := append([]string{"gradflow"}, trainArgs(data, out)[1:]...)
	svg, picture := filepath.Join(out, "flow.svg"), filepath.Join(out, "flow.png")
	r := command(t, append(args, "--updates", "5", "--gradflow-every", "2", "--svg", svg, "--png", picture)...)
	require.Equal(t, exitOK, r.code, r.errors)
	run := filepath.Join(out, "first")
	for _, want := range []string{"ended after 5 updates", "train --resume", "after 4 updates", "from main", "from aux1", "cos m·aux1", "upd/weight",
		"inception3a", "dead ReLU channels: ", "report on 3 measurements: " + filepath.Join(run, "gradflow.html")} {
		require.Contains(t, r.out, want)
	}

	text, err := os.ReadFile(svg)
	require.NoError(t, err)
	ids := map[string]bool{}
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok {
			for _, a := range e.Attr {
				if a.Name.Local == "id" {
					ids[a.Value] = true
				}
			}
		}
	}
	require.True(t, ids[edgeID("inception3a", "inception3b", 0)], "the main head's gradient goes down between the modules")
	require.True(t, ids[edgeID("inception3b", headBox("aux1"), 1)], "the head's enters at its module")
	require.False(t, ids[edgeID("inception4a", "inception4b", 1)], "and does not come from above it")
	file, err := os.Open(picture)
	require.NoError(t, err)
	defer file.Close()
	drawn, err := png.Decode(file)
	require.NoError(t, err)
	colours := map[color.Color]bool{}
	for y := range drawn.Bounds().Dy() {
		for x := range drawn.Bounds().Dx() {
			colours[drawn.At(x, y)] = true
		}
	}
	require.True(t, colours[color.RGBA{0xc0, 0, 0, 0xff}], "the main head's lines")
	require.True(t, colours[color.RGBA{0xe0, 0x7b, 0, 0xff}], "an auxiliary head's lines")

	page, err := os.ReadFile(filepath.Join(run, "gradflow.html"))
	require.NoError(t, err)
	found := regexp.MustCompile(`const data = (\{.*?\}), flows`).FindSubmatch(page)
	require.NotNil(t, found)
	var report struct {
		Flows []auxhead.Flow
		Edges []struct{ ID, Place string }
	}
	require.NoError(t, json.Unmarshal(found[1], &report))
	require.Len(t, report.Flows, 3)
	require.Equal(t, []string{"main", "aux1", "aux2"}, report.Flows[0].Heads)
	require.NotEmpty(t, report.Edges)
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

// Heads that a short run places are named in the run's configuration, which repeats it without looking for them.
func TestHeadsAuto(t *testing.T) {
	data, out := squares(t), t.TempDir()
	r := command(t, append(trainArgs(data, out), "--heads", "auto")...)
	require.Equal(t, exitOK, r.code, r.errors)
	found := regexp.MustCompile(`heads auto: (\S+), from \d+ measurements in 40 updates`).FindStringSubmatch(r.out)
	require.NotNil(t, found, r.out)
	config, err := os.ReadFile(filepath.Join(out, "first", "config.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(config), "heads: "+found[1])
	again := command(t, "train", "--config", filepath.Join(out, "first", "config.yaml"), "--name", "second")
	require.Equal(t, exitOK, again.code, again.errors)
	require.Equal(t, rows(r.out), rows(again.out))
	require.NotContains(t, again.out, "heads auto")

	r = command(t, "inspect", "--heads", "auto")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.errors, "only train, gradflow and ablate look for them")
}
