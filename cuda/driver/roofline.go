//go:build cuda

package driver

import (
	"time"

	"github.com/tributary-ml/tributary/kernels"
)

// perClock is how many dense floating-point operations a multiprocessor does per clock, indexed by
// kernels.Arithmetic, for each compute capability. The numbers are from NVIDIA's architecture
// papers and data sheets.
var perClock = map[string][3]float64{
	"sm_80":  {128, 1024, 2048},
	"sm_86":  {256, 256, 512},
	"sm_89":  {256, 256, 512},
	"sm_90":  {256, 2048, 4096},
	"sm_100": {256, 4096, 8192},
	"sm_120": {256, 256, 512},
}

// Bandwidth returns the peak bandwidth of the GPU's memory in bytes per second, from its clock and
// its bus. A copy reaches about nine tenths of it.
func (i Info) Bandwidth() float64 {
	return 2 * 1e3 * float64(i.MemoryClockKHz) * float64(i.MemoryBusBits) / 8
}

// FLOPS returns the peak rate of an arithmetic in floating-point operations per second, at the
// GPU's highest clock. It returns 0 for an architecture that is not in the table.
func (i Info) FLOPS(a kernels.Arithmetic) float64 {
	return perClock[i.Arch()][a] * float64(i.SMs) * 1e3 * float64(i.ClockKHz)
}

// Roof returns the least time that a launch can take on the GPU (Williams et al. 2009): the time of
// its arithmetic or the time of its memory traffic without caches, whichever is longer. It returns
// 0 for an architecture that is not in the table.
func (i Info) Roof(l Launch) time.Duration {
	flops := i.FLOPS(l.Function.Arithmetic)
	if flops == 0 {
		return 0
	}
	return time.Duration(1e9 * max(float64(l.FLOPs)/flops, float64(l.Bytes)/i.Bandwidth()))
}
