package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInspect(t *testing.T) {
	list := command(t, "inspect")
	require.Equal(t, exitOK, list.code, list.errors)
	require.Contains(t, list.out, "inception_v3")
	require.Contains(t, list.out, "gap")

	r := command(t, "inspect", "--model", "googlenet", "--batch", "4")
	require.Equal(t, exitOK, r.code, r.errors)
	for _, want := range []string{"6,624,904", "13,004,888", "1.50 G", "reduced from", "arena", "steps  ", "backward", "inception4a", "torchvision"} {
		require.Contains(t, r.out, want)
	}
	r = command(t, "inspect", "--model", "inception_small", "--batch", "2", "--measure")
	require.Equal(t, exitOK, r.code, r.errors)
	for _, want := range []string{"training with heads", "training without heads", "head aux1", "head aux2", "% of the step", "images/s"} {
		require.Contains(t, r.out, want)
	}
	r = command(t, "inspect", "--heads", "none", "--width", "2", "--classes", "7", "--channels", "3", "--image-size", "32", "--steps")
	require.Equal(t, exitOK, r.code, r.errors)
	for _, want := range []string{"no heads", "32x32x3", "7 classes", "conv.forward", "update"} {
		require.Contains(t, r.out, want)
	}
	require.NotContains(t, r.out, "what each head adds")
}

func TestInspectDraws(t *testing.T) {
	dir := t.TempDir()
	dot, svg := filepath.Join(dir, "n.dot"), filepath.Join(dir, "n.svg")
	r := command(t, "inspect", "--model", "inception_small", "--dot", dot, "--svg", svg)
	require.Equal(t, exitOK, r.code, r.errors)
	text, err := os.ReadFile(dot)
	require.NoError(t, err)
	for _, want := range []string{"digraph", "cluster", "loss aux1", headColours[0], headColours[1], "3×3 conv"} {
		require.Contains(t, string(text), want)
	}
	text, err = os.ReadFile(svg)
	require.NoError(t, err)
	require.Contains(t, string(text), "aux2")
	for d := xml.NewDecoder(strings.NewReader(string(text))); ; {
		if _, err := d.Token(); err != nil {
			require.True(t, errors.Is(err, io.EOF), err)
			break
		}
	}
	r = command(t, "inspect", "--model", "inception_small", "--svg", filepath.Join(dir, "missing", "n.svg"))
	require.Equal(t, exitFailure, r.code)
}
