//go:build cuda

package bench

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/cuda"
	"github.com/tributary-ml/tributary/cuda/driver"
	"github.com/tributary-ml/tributary/graph"
)

// gpuCase is a training step to measure. The cases are those of gpu.py.
type gpuCase struct {
	model       string
	size, batch int
}

func (c gpuCase) String() string { return fmt.Sprintf("%s/%dpx/batch%d", c.model, c.size, c.batch) }

// gpuCases returns the cases. With TRIBUTARY_BENCH=dry they are tiny and run on the emulator: that
// measures nothing, but runs everything.
func gpuCases() []gpuCase {
	if os.Getenv("TRIBUTARY_BENCH") == "dry" {
		return []gpuCase{{"inception_small", 28, 2}}
	}
	return []gpuCase{{"googlenet", 224, 256}, {"googlenet", 224, 32}, {"inception_v3", 299, 128}}
}

// imageNet returns the normalisation of ImageNet's images.
func imageNet() *graph.Normalization {
	return &graph.Normalization{Mean: []float32{0.485, 0.456, 0.406}, Std: []float32{0.229, 0.224, 0.225}}
}

// normalization returns imageNet for the number of channels of a network.
func normalization(model string) *graph.Normalization {
	z := imageNet()
	if model == "inception_small" {
		z.Mean, z.Std = z.Mean[:1], z.Std[:1]
	}
	return z
}

// BenchmarkGPUStep measures whole training steps on the first GPU, including the copy of images
// from the host: images a second, and the step's memory. bf16_warps is bf16 without warpgroups, on
// GPUs that have them. bf16_serial is bf16 with the steps of the plan one after another.
func BenchmarkGPUStep(b *testing.B) {
	for _, c := range gpuCases() {
		for _, a := range []struct {
			name    string
			options cuda.Options
		}{
			{"bf16", cuda.Options{Precision: graph.BF16}}, {"bf16_warps", cuda.Options{Precision: graph.BF16, Debug: cuda.Debug{NoWgmma: true}}},
			{"bf16_serial", cuda.Options{Precision: graph.BF16, Debug: cuda.Debug{Serial: true}}},
			{"tf32", cuda.Options{Precision: graph.TF32}}, {"fp32", cuda.Options{}},
		} {
			for _, heads := range []string{"heads", "noheads"} {
				if heads == "noheads" && a.name != "bf16" && !a.options.Debug.Serial {
					continue
				}
				b.Run(fmt.Sprintf("%s/%s/%s", c, a.name, heads), func(b *testing.B) {
					gpu := openGPU(b, a.options)
					if a.options.Debug.NoWgmma && !gpu.device.Warpgroups() {
						b.Skip("bf16 is by warps already")
					}
					before := gpu.used(b)
					pr, feed := step(b, gpu, network(b, gpu, c.model, c.size, heads == "heads", 0), c.batch, graph.Options{Normalize: normalization(c.model)})
					after := gpu.used(b)
					run := func(n int) {
						for range n {
							require.NoError(b, pr.Run(context.Background(), feed))
						}
						_, err := pr.Metrics() // waits
						require.NoError(b, err)
					}
					run(2)
					b.ResetTimer()
					run(b.N)
					b.ReportMetric(float64(c.batch*b.N)/b.Elapsed().Seconds(), "img/s")
					b.ReportMetric(float64(pr.Plan().FLOPs())*float64(b.N)/b.Elapsed().Seconds()/1e12, "TFLOP/s")
					b.ReportMetric(float64(after-before)/(1<<20), "MiB")
				})
			}
		}
	}
}

// BenchmarkGPUGradientFlow measures the cost of a measurement of gradient flow.
func BenchmarkGPUGradientFlow(b *testing.B) {
	for _, c := range gpuCases() {
		b.Run(fmt.Sprintf("%s/%s", c, graph.BF16), func(b *testing.B) {
			gradientFlow(b, openGPU(b, cuda.Options{Precision: graph.BF16}), c.model, c.size, c.batch, graph.Options{Normalize: normalization(c.model)})
		})
	}
}

// BenchmarkGPUKernel measures each kernel within a whole step: the time of all its launches, their
// arithmetic and memory traffic, and the share of the device's roofline that they reach. It
// profiles a step once, whatever -benchtime says.
func BenchmarkGPUKernel(b *testing.B) {
	for _, c := range gpuCases() {
		for _, p := range []graph.Precision{graph.BF16, graph.TF32} {
			b.Run(fmt.Sprintf("%s/%s", c, p), func(b *testing.B) {
				rows := sync.OnceValue(func() []kernelTime { return kernelTimes(profile(b, c, p)) })
				for _, r := range rows() {
					b.Run(r.name, func(b *testing.B) {
						for range b.N { // the profile exists already
						}
						r.report(b)
					})
				}
			})
		}
	}
}

// BenchmarkGPULaunch measures the ten launches of a step that take the most time.
func BenchmarkGPULaunch(b *testing.B) {
	for _, c := range gpuCases() {
		b.Run(fmt.Sprintf("%s/%s", c, graph.BF16), func(b *testing.B) {
			all := profile(b, c, graph.BF16)
			slices.SortStableFunc(all.timings, func(x, y cuda.Timing) int { return cmp.Compare(y.Time, x.Time) })
			for _, t := range all.timings[:min(10, len(all.timings))] {
				b.Run(t.Function.Name+"/"+t.Node, func(b *testing.B) {
					for range b.N {
					}
					r := kernelTime{}
					r.add(t, all.info)
					r.report(b)
				})
			}
		})
	}
}

type gpu struct {
	*cuda.Backend
	device *driver.Device
}

func openGPU(b *testing.B, o cuda.Options) gpu {
	b.Helper()
	be, err := cuda.New(o)
	require.NoError(b, err)
	d, err := driver.Open(0)
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, be.Close())
		require.NoError(b, d.Close())
	})
	return gpu{be, d}
}

// used returns the device memory in use.
func (g gpu) used(b *testing.B) int64 {
	b.Helper()
	free, total, err := g.device.FreeMemory()
	require.NoError(b, err)
	return total - free
}

// profiled is a step with the time of each launch.
type profiled struct {
	timings []cuda.Timing
	info    driver.Info
}

func profile(b *testing.B, c gpuCase, p graph.Precision) profiled {
	b.Helper()
	g := openGPU(b, cuda.Options{Precision: p})
	pr, feed := step(b, g, network(b, g, c.model, c.size, true, 0), c.batch, graph.Options{Normalize: normalization(c.model)})
	_, err := cuda.Profile(context.Background(), pr, feed, 3) // warms up
	require.NoError(b, err)
	t, err := cuda.Profile(context.Background(), pr, feed, 15)
	require.NoError(b, err)
	return profiled{t, g.device.Info}
}

// kernelTime is the sum of a kernel's launches.
type kernelTime struct {
	name         string
	launches     int
	flops, bytes int64
	time, roof   time.Duration
}

func (k *kernelTime) add(t cuda.Timing, info driver.Info) {
	k.launches++
	k.flops += t.FLOPs
	k.bytes += t.Bytes
	k.time += t.Time
	k.roof += info.Roof(t.Launch)
}

func (k *kernelTime) report(b *testing.B) {
	b.ReportMetric(float64(k.time.Nanoseconds()), "ns/op")
	b.ReportMetric(float64(k.launches), "launches")
	b.ReportMetric(float64(k.flops)/float64(max(k.time, 1)), "GFLOP/s")
	b.ReportMetric(float64(k.bytes)/float64(max(k.time, 1)), "GB/s")
	b.ReportMetric(100*float64(k.roof)/float64(max(k.time, 1)), "%roof")
}

// kernelTimes returns the kernels of a step, the slowest first.
func kernelTimes(p profiled) []kernelTime {
	var rows []kernelTime
	for _, t := range p.timings {
		i := slices.IndexFunc(rows, func(k kernelTime) bool { return k.name == t.Function.Name })
		if i < 0 {
			i = len(rows)
			rows = append(rows, kernelTime{name: t.Function.Name})
		}
		rows[i].add(t, p.info)
	}
	slices.SortStableFunc(rows, func(x, y kernelTime) int { return cmp.Compare(y.time, x.time) })
	return rows
}
