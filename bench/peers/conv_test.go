// Package peers measures one convolution layer of GoogLeNet, conv3 (3×3, 64→192 channels, 56²,
// batch 8), in other Go frameworks: forward with both gradients, or forward alone if a framework
// cannot differentiate it. ../cpu_peers.py runs it beside ours and PyTorch's. It is a module of its
// own, so that users need not download the peers.
package peers

import (
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/backends/simplego"
	mlx "github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

const (
	batch, side, in, out = 8, 56, 64, 192
	flops                = 2 * batch * side * side * 9 * in * out // of the forward pass, and of each gradient
)

func random(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func report(b *testing.B, passes float64) {
	b.ReportMetric(passes*flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

func BenchmarkGorgonia(b *testing.B) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(batch, in, side, side), gorgonia.WithName("x"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(batch, in, side, side), tensor.WithBacking(random(batch*in*side*side)))))
	w := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(out, in, 3, 3), gorgonia.WithName("w"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(out, in, 3, 3), tensor.WithBacking(random(out*in*9)))))
	y, err := gorgonia.Conv2d(x, w, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1})
	require.NoError(b, err)
	cost, err := gorgonia.Sum(y)
	require.NoError(b, err)
	_, err = gorgonia.Grad(cost, x, w)
	require.NoError(b, err)
	vm := gorgonia.NewTapeMachine(g)
	defer vm.Close()
	require.NoError(b, vm.RunAll())
	b.ResetTimer()
	for range b.N {
		vm.Reset()
		require.NoError(b, vm.RunAll())
	}
	report(b, 3)
}

// BenchmarkGoMLXForward measures GoMLX's pure Go backend. Version 0.27.0 cannot compile the
// convolution's gradient there ("stride[0]=0 must be >= 1").
func BenchmarkGoMLXForward(b *testing.B) {
	backend, err := simplego.New("")
	require.NoError(b, err)
	defer backend.Finalize()
	x := tensors.FromFlatDataAndDimensions(random(batch*side*side*in), batch, side, side, in)
	w := tensors.FromFlatDataAndDimensions(random(9*in*out), 3, 3, in, out)
	exec, err := mlx.NewExec(backend, func(x, w *mlx.Node) *mlx.Node {
		return mlx.Convolve(x, w).Strides(1).PadSame().Done()
	})
	require.NoError(b, err)
	run := func() {
		for _, t := range exec.MustExec(x, w) {
			t.MustFinalizeAll()
		}
	}
	run()
	b.ResetTimer()
	for range b.N {
		run()
	}
	report(b, 1)
}
