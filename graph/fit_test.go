package graph_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/graph"
)

func TestFitBatch(t *testing.T) {
	g := graph.New("net")
	linear := func(batch int) (needs, free int64, err error) { return 100 + int64(batch)*10, 275, nil }
	require.NoError(t, graph.FitBatch("device", g, 17, linear))
	require.Equal(t, &graph.MemoryError{Network: "net", Batch: 18, Device: "device", Needs: 280, Free: 275, Largest: 17}, graph.FitBatch("device", g, 18, linear))
	require.ErrorContains(t, graph.FitBatch("device", g, 1000, linear), "net at a batch of 1000 needs 0.0 MiB of memory, and device has 0.0 MiB free: the largest batch that fits is 17")
	require.ErrorContains(t, graph.FitBatch("device", g, 3, func(int) (int64, int64, error) { return 1 << 31, 1 << 30, nil }),
		"net at a batch of 3 needs 2.0 GiB of memory, and device has 1.0 GiB free: not even a batch of 1 fits")
	fault := errors.New("fault")
	require.ErrorIs(t, graph.FitBatch("device", g, 3, func(int) (int64, int64, error) { return 0, 0, fault }), fault)
}

func TestWithBatch(t *testing.T) {
	o := graph.Options{Batch: 4, Regions: 4000, Training: true}.WithBatch(6)
	require.Equal(t, graph.Options{Batch: 6, Regions: 6000, Training: true}, o)
}
