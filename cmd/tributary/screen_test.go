package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary"
	"github.com/tributary-ml/tributary/graph"
)

// No untrusted text reaches the terminal unchanged in any command: names of files, folders and
// classes, settings, keys and arguments with escape sequences, newlines and marks that turn the
// direction of writing.
func TestNothingReachesTheTerminal(t *testing.T) {
	const evil = "x\x1b[31m\x1b]0;owned\a\r\u009b2J\u202egnp\ny"
	const shown = `x\x1b[31m\x1b]0;owned\x07\r\u009b2J\u202egnp\ny`
	dir := t.TempDir()
	t.Chdir(dir)
	for part, n := range map[string]int{"train": 4, "val": 2} {
		for class, name := range []string{evil, "plain"} {
			folder := filepath.Join(evil, part, name)
			require.NoError(t, os.MkdirAll(folder, 0o755))
			for i := range n {
				writeImage(t, filepath.Join(folder, string(rune('0'+i))+".png"), class, graph.NewRandom(uint64(i), part))
			}
		}
	}
	writeImage(t, evil+".png", 1, graph.NewRandom(1, "one"))
	require.NoError(t, os.WriteFile(evil+"bad.png", []byte("no image"), 0o644))
	require.NoError(t, os.WriteFile(evil+".yaml", []byte(`"`+`x\x1b[31m\u009b2J\u202e\ny": 1`+"\n"), 0o644))
	require.NoError(t, os.WriteFile(evil+".onnx", nil, 0o644))
	train := func(more ...string) []string {
		return append([]string{"train", "--data", "folder:" + evil, "--image-size", "16", "--width", "0.25", "--batch", "4", "--epochs", "1", "--warmup", "0", "--out", "out" + evil, "--name", "first"}, more...)
	}
	run := filepath.Join("out"+evil, "first")
	for _, x := range []struct {
		args []string
		code int
		want string
	}{
		{train(), exitOK, "2 classes of 4 images: plain, " + shown},
		{train("--batch", "64", "--name", "b"), exitOK, "batch: 8 instead of 64"},
		{train(), exitFailure, shown},
		{[]string{"eval", "--checkpoint", run}, exitOK, shown},
		{[]string{"eval", "--checkpoint", run, "--early-exit", "entropy=0.5"}, exitOK, shown},
		{[]string{"predict", "--checkpoint", run, evil + ".png"}, exitOK, shown + ".png\n"},
		{[]string{"predict", "--checkpoint", run, "--top", "2", evil + ".png", evil + "bad.png", evil}, exitFailure, "%  " + shown},
		{[]string{"predict", "--checkpoint", run, "--json", evil + ".png"}, exitOK, `\u009b`},
		{[]string{"predict", "--checkpoint", evil + ".onnx", evil + ".png"}, exitFailure, shown + ".onnx: is an ONNX model"},
		{[]string{"export", "--checkpoint", run, "--out", evil + ".safetensors"}, exitOK, shown},
		{[]string{"export", "--checkpoint", run, "--out", evil}, exitUsage, shown},
		{[]string{"inspect", "--model", "inception_small", "--batch", "1", "--svg", evil + ".svg"}, exitOK, shown},
		{[]string{"inspect", "--model", evil}, exitUsage, `\x1b`},
		{train("--init", evil), exitFailure, shown},
		{train("--init", run, "--name", "c"), exitOK, shown},
		{train("--config", evil+".yaml"), exitUsage, shown + ".yaml: line 1: unknown key"},
		{[]string{"train", "--resume", evil}, exitUsage, shown},
		{train("--data", evil+"/nothing"), exitUsage, shown},
		{train("--data", "folder:"+evil+"/nothing"), exitFailure, shown},
		{train("--heads", evil), exitUsage, `\x1b`},
		{train("--optimizer", evil), exitUsage, `\x1b`},
		{train("--schedule", evil), exitUsage, `\x1b`},
		{train("--" + evil), exitUsage, `\x1b`},
		{[]string{evil}, exitUsage, `\x1b`},
		{[]string{"eval", evil}, exitUsage, `\x1b`},
		{[]string{"gradflow", "--run", run}, exitFailure, shown},
		{train("--gradflow-every", "1", "--name", "d"), exitOK, shown},
		{[]string{"gradflow", "--run", filepath.Join("out"+evil, "d")}, exitOK, shown},
		{[]string{"ablate", "--data", "folder:" + evil, "--image-size", "16", "--width", "0.25", "--batch", "4", "--epochs", "1", "--warmup", "0", "--out", "out" + evil, "--variants", "inception3b", "--seeds", "1"}, exitOK, shown},
		{[]string{"ablate", "--resume", evil}, exitUsage, shown},
		{[]string{"grads", "--model", "googlenet", "--weights", evil, "--batch", evil, "--out", evil}, exitFailure, shown},
	} {
		r := command(t, x.args...)
		require.Equal(t, x.code, r.code, "%q: %s", x.args, r.errors)
		require.Contains(t, r.out+r.errors, x.want, "%q", x.args)
		for _, text := range []string{r.out, r.errors} {
			require.NotContains(t, text, "\ny", "%q: a name's newline", x.args)
			require.Negative(t, strings.IndexFunc(text, func(c rune) bool {
				return c != '\n' && c != '\t' && unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == unicode.ReplacementChar
			}), "%q: %q", x.args, text)
		}
	}
	r := command(t, "predict", "--checkpoint", run, "--json", evil+".png")
	var p tributary.Prediction
	require.NoError(t, json.Unmarshal([]byte(r.out), &p))
	require.Equal(t, evil+".png", p.File, "JSON says what the file is called")
}

// Drawn bytes reach the terminal unchanged; text with the same bytes does not.
func TestScreenDraws(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out)
	s.draw("nobody sees this")
	s.size = func() int { return 40 }
	s.draw("a\x1b[2Jb")
	require.Equal(t, "\r"+`a\x1b[2Jb`+"\x1b[K", out.String())
	s.clear()
	s.clear()
	require.Equal(t, "\r"+`a\x1b[2Jb`+"\x1b[K\r\x1b[K", out.String())
	t.Setenv("TERM", "dumb")
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here")
	}
	defer tty.Close()
	require.False(t, newScreen(tty).terminal(), "a dumb terminal is none")
	t.Setenv("TERM", "xterm")
	require.True(t, newScreen(tty).terminal())
	require.Equal(t, noTerminal, newScreen(tty).width(), "a terminal that does not know its width")
}
