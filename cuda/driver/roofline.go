//go:build cuda

package driver

import (
	"time"

	"github.com/tributary-ml/tributary/kernels"
)

// perClock is how many floating-point operations a multiprocessor does in a clock, by kernels.Arithmetic, all dense. From NVIDIA's architecture papers and data sheets, by compute capability.
var perClock = map[string][3]float64{
	"sm_80":  {128, 1024, 2048},
	"sm_86":  {256, 256, 512},
	"sm_89":  {256, 256, 512},
	"sm_90":  {256, 2048, 4096},
	"sm_100": {256, 4096, 8192},
	"sm_120": {256, 256, 512},
}

// Bandwidth is the peak of the GPU's memory in bytes a second, as its clock and its bus have it. A copy reaches some nine tenths.
func (i Info) Bandwidth() float64 {
	return 2 * 1e3 * float64(i.MemoryClockKHz) * float64(i.MemoryBusBits) / 8
}

// FLOPS is the peak of floating-point operations a second in an arithmetic, at the GPU's highest clock; 0 for an architecture
// that is not in the table.
func (i Info) FLOPS(a kernels.Arithmetic) float64 {
	return perClock[i.Arch()][a] * float64(i.SMs) * 1e3 * float64(i.ClockKHz)
}

// Roof is the least time that a launch can take on the GPU (Williams et al. 2009): that of its arithmetic, or that of its memory
// traffic if nothing stays in a cache, whichever is longer. It is 0 for an architecture that is not in the table.
func (i Info) Roof(l Launch) time.Duration {
	flops := i.FLOPS(l.Function.Arithmetic)
	if flops == 0 {
		return 0
	}
	return time.Duration(1e9 * max(float64(l.FLOPs)/flops, float64(l.Bytes)/i.Bandwidth()))
}
