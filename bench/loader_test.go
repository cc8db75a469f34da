package bench

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/dataset"
)

// BenchmarkLoader reads the photographs of a folder as training does: it decodes them, cuts out a
// random piece, resizes it to 224 pixels, mirrors half of the images and makes batches. It caches
// nothing; only the system does. The folder comes from loader.py, which runs this benchmark beside
// torchvision.
func BenchmarkLoader(b *testing.B) {
	photos := os.Getenv("PHOTOS")
	if photos == "" {
		b.Skip("set PHOTOS to a folder of class folders; make bench-loader makes one")
	}
	set, err := dataset.Open(context.Background(), "folder:"+photos, dataset.OpenOptions{})
	require.NoError(b, err)
	b.Cleanup(set.Close)
	for _, c := range []struct {
		name      string
		transform dataset.Transform
	}{
		{"crop-flip", dataset.Pipeline{dataset.RandomResizedCrop{H: 224, W: 224}, dataset.Flip{}}},
		{"crop-flip-jitter", dataset.TrainTransform(set.Train.Info(), 224, 224)},
	} {
		b.Run(c.name, func(b *testing.B) {
			l, err := dataset.NewLoader(set.Train, c.transform, dataset.LoaderOptions{Batch: 64, Shuffle: true, DropLast: true})
			require.NoError(b, err)
			images := 0
			for epoch := 0; b.Loop(); epoch++ {
				for batch, err := range l.Epoch(context.Background(), epoch, 0) {
					require.NoError(b, err)
					images += batch.Rows
					batch.Release()
				}
			}
			b.ReportMetric(float64(images)/b.Elapsed().Seconds(), "img/s")
			name, _ := dataset.JPEGDecoder()
			b.Logf("JPEG by %s", name)
		})
	}
}
