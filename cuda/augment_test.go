//go:build cuda

package cuda

import (
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tributary-ml/tributary/dataset"
	"github.com/tributary-ml/tributary/graph"
)

// photos are random images of many sizes.
type photos struct{ channels int }

func (p photos) Info() dataset.Info {
	return dataset.Info{Name: "photos", Classes: []string{"a", "b"}, C: p.channels}
}
func (photos) Len() int { return 15 }
func (p photos) Decode(i int, m *dataset.Image) (int32, error) {
	r := rand.New(rand.NewPCG(uint64(i), 9))
	m.Reshape(1+r.IntN(90), 1+r.IntN(120), p.channels)
	for j := range m.Pix {
		m.Pix[j] = byte(r.IntN(256))
	}
	return int32(i % 2), nil
}

// If a loader leaves its transforms to the plan, the GPU makes the same images as the loader, byte
// for byte.
func TestDeferredBatches(t *testing.T) {
	for _, p := range []graph.Precision{graph.FP32, graph.BF16} {
		for name, tf := range map[string]dataset.Transform{
			"train": dataset.Pipeline{dataset.RandomResizedCrop{H: 33, W: 47}, dataset.Flip{}, dataset.Jitter{Brightness: 0.4, Contrast: 0.4, Saturation: 0.4}},
			"eval":  dataset.Fit{H: 33, W: 47, Resize: 53},
			"pad": dataset.Pipeline{dataset.Flip{}, dataset.Resize{H: 33, W: 47}, dataset.RandomCrop{Pad: 9, H: 33, W: 47},
				dataset.Cutout{Size: 12, Colour: []float32{0.1, 0.5, 0.9}}},
		} {
			for _, channels := range []int{1, 3} {
				t.Run(fmt.Sprintf("%s, %s, %d channels", p, name, channels), func(t *testing.T) { deferredBatches(t, p, tf, channels) })
			}
		}
	}
}

func deferredBatches(t *testing.T, precision graph.Precision, tf dataset.Transform, channels int) {
	opt := dataset.LoaderOptions{Batch: 4, Shuffle: true, Seed: 3, Workers: 2}
	host, err := dataset.NewLoader(photos{channels}, tf, opt)
	require.NoError(t, err)
	opt.Defer = true
	deferred, err := dataset.NewLoader(photos{channels}, tf, opt)
	require.NoError(t, err)

	// A standard deviation of 1/255 leaves the bytes as they are.
	z := &graph.Normalization{Mean: make([]float32, channels), Std: make([]float32, channels)}
	for i := range z.Std {
		z.Std[i] = 1.0 / 255
	}
	g := graph.New("images")
	x := g.Input("image", graph.Shape{H: 33, W: 47, C: channels})
	g.AddLoss(graph.Loss{Name: "main", Logits: g.Linear("fc", g.GlobalAvgPool("gap", x), 2, nil), Weight: 1})
	l, err := graph.NewLayout(g)
	require.NoError(t, err)
	b, err := New(Options{Precision: precision})
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	s, err := b.NewState(l, graph.StateOptions{})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	plan, err := graph.Compile(g, l, graph.Options{Batch: 4, Keep: []string{"image"}, Target: b.Target(), Normalize: z, Regions: deferred.Regions()})
	require.NoError(t, err)
	pr, err := b.Load(plan, s)
	require.NoError(t, err)
	defer func() { require.NoError(t, pr.Close()) }()

	next, stop := iter.Pull2(host.Epoch(context.Background(), 1, 0))
	defer stop()
	for batch, err := range deferred.Epoch(context.Background(), 1, 0) {
		require.NoError(t, err)
		want, err, _ := next()
		require.NoError(t, err)
		require.NoError(t, pr.Run(context.Background(), &graph.Feed{Regions: batch.Regions, Recipes: batch.Recipes, Labels: batch.Labels}))
		d, err := pr.Read("image")
		require.NoError(t, err)
		got := make([]byte, 0, len(want.Pixels))
		for _, v := range d.Data().([]float32) {
			got = append(got, byte(math.Round(float64(v))))
		}
		require.Equal(t, want.Pixels, got)
		batch.Release()
	}
}
