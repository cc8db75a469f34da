package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/internal/memory"
)

// A training that does not fit into memory is refused, and the error names the largest batch that
// does.
func TestTrainTooLarge(t *testing.T) {
	if memory.Limit() == 0 || memory.Limit() > 100<<30 {
		t.Skip("needs a machine that says how much memory it has, and less than 100 GiB")
	}
	out := t.TempDir()
	r := command(t, "train", "--model", "googlenet", "--image-size", "224", "--batch", "6000", "--out", out)
	require.Equal(t, exitFailure, r.code)
	require.Regexp(t, `^tributary: googlenet at a batch of 6000 needs .* GiB of memory, and .*: the largest batch that fits is \d+\n$`, r.errors)
	entries, err := os.ReadDir(out)
	require.NoError(t, err)
	require.Empty(t, entries)
}
