//go:build cuda

package driver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/kernels"
)

// On an H100, bf16 reaches 1 PFLOP/s with mma, wgmma and TMA alike, tf32 half of that, float32 67
// TFLOP/s.
func TestRoof(t *testing.T) {
	h100 := Info{Major: 9, SMs: 132, ClockKHz: 1980000, MemoryClockKHz: 2619000, MemoryBusBits: 5120}
	require.InEpsilon(t, 3.35e12, h100.Bandwidth(), 0.01)
	launch := func(name string, flops, bytes float64) Launch {
		k, ok := kernels.Find(name)
		require.True(t, ok, name)
		return Launch{Function: &Function{Name: name, Arithmetic: k.Arithmetic}, FLOPs: int64(flops), Bytes: int64(bytes)}
	}
	for name, flops := range map[string]float64{
		"conv_forward_f32_128x64":            6.7e13,
		"conv_forward_tf32_128x64":           5.35e14,
		"conv_backward_data_tf32_128x128":    5.35e14,
		"conv_forward_bf16_128x64":           1.07e15,
		"conv_forward_wgmma_128x128":         1.07e15,
		"conv_forward_tma_128x64":            1.07e15,
		"conv_backward_data_wgmma_128x64":    1.07e15,
		"conv_backward_filter_wgmma_128x128": 1.07e15,
		"conv_backward_filter_reduce":        6.7e13,
		"affine_bf16":                        6.7e13,
	} {
		l := launch(name, flops/1000, 1000)
		require.InEpsilon(t, flops, h100.FLOPS(l.Function.Arithmetic), 0.01, name)
		require.InEpsilon(t, time.Millisecond, h100.Roof(l), 0.01, name)
	}
	require.InEpsilon(t, time.Millisecond, h100.Roof(launch("affine_bf16", 1000, 3.35e9)), 0.01)
	require.Zero(t, Info{Major: 7, Minor: 5}.Roof(launch("affine_bf16", 1000, 1000)))
}
