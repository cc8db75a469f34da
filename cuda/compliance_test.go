//go:build cuda

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/graph/backendtest"
)

// The suite that every backend passes. The CPU's float64, rounded in the same places, is the model of the precisions that round.
func TestCompliance(t *testing.T) {
	for _, p := range []graph.Precision{graph.FP32, graph.TF32, graph.BF16} {
		t.Run(string(p), func(t *testing.T) {
			b, err := New(Options{Precision: p})
			require.NoError(t, err)
			defer func() { require.NoError(t, b.Close()) }()
			var model graph.Backend
			if p != graph.FP32 {
				model, err = cpu.New(cpu.Options{Precision: p, Poison: true})
				require.NoError(t, err)
			}
			backendtest.RunAll(t, b, model, 1)
		})
	}
}
