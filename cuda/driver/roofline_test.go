//go:build cuda

package driver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRoof(t *testing.T) {
	h100 := Info{Major: 9, SMs: 132, ClockKHz: 1980000, MemoryClockKHz: 2619000, MemoryBusBits: 5120}
	require.InEpsilon(t, 3.35e12, h100.Bandwidth(), 0.01)
	require.InEpsilon(t, 1.07e15, h100.FLOPS("conv_forward_bf16_128x64"), 0.01)
	require.InEpsilon(t, 5.35e14, h100.FLOPS("conv_backward_data_tf32_128x64"), 0.01)
	require.InEpsilon(t, 6.7e13, h100.FLOPS("affine_bf16"), 0.01)
	l := Launch{Function: &Function{Name: "affine_bf16"}, FLOPs: 1000, Bytes: 3.35e9}
	require.InEpsilon(t, time.Millisecond, h100.Roof(l), 0.01)
	l = Launch{Function: &Function{Name: "conv_forward_bf16_128x64"}, FLOPs: 1.07e12, Bytes: 1000}
	require.InEpsilon(t, time.Millisecond, h100.Roof(l), 0.01)
	require.Zero(t, Info{Major: 7, Minor: 5}.Roof(l))
}
