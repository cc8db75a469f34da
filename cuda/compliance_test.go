//go:build cuda

package cuda

import (
	"testing"

	"github.com/tributary-ml/tributary/cuda/driver"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/cpu"
	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/graph/backendtest"
)

// TestCompliance runs the suite that every backend passes. The model of the precisions that round
// is the CPU's float64, rounded in the same places.
func TestCompliance(t *testing.T) {
	for name, o := range map[string]Options{"fp32": {}, "tf32": {Precision: graph.TF32}, "bf16": {Precision: graph.BF16}, "bf16_warps": {Precision: graph.BF16, Debug: Debug{NoWgmma: true}}} {
		t.Run(name, func(t *testing.T) {
			b, err := New(o)
			require.NoError(t, err)
			defer func() { require.NoError(t, b.Close()) }()
			if o.Debug.NoWgmma && !b.device.Warpgroups() {
				t.Skip("bf16 is by warps already")
			}
			var model graph.Backend
			if name != "fp32" {
				model, err = cpu.New(cpu.Options{Precision: o.Precision, Debug: cpu.Debug{Poison: true}})
				require.NoError(t, err)
			}
			backendtest.RunAll(t, b, model, 1)
		})
	}
}

// needEmulator skips a test of something that only the emulator does.
func needEmulator(t *testing.T) {
	t.Helper()
	if all, err := driver.Devices(); err != nil || !all[0].Emulated() {
		t.Skip("needs the emulator")
	}
}
