package dataset

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOpenFashionMini(t *testing.T) {
	set, err := Open(context.Background(), "", OpenOptions{})
	require.NoError(t, err)
	require.Equal(t, 6000, set.Train.Len())
	require.Equal(t, 1000, set.Test.Len())

	info := set.Train.Info()
	require.Equal(t, "fashion-mnist-mini train", info.Name)
	require.Len(t, info.Classes, 10)
	require.Equal(t, []int{28, 28, 1}, []int{info.H, info.W, info.C})

	// The set's first training image is an ankle boot, and all classes occur.
	var img Image
	label, err := set.Train.Decode(0, &img)
	require.NoError(t, err)
	require.Equal(t, "Ankle boot", info.Classes[label])
	seen := make(map[int32]int)
	var sum, n float64
	for i := range set.Train.Len() {
		label, err := set.Train.Decode(i, &img)
		require.NoError(t, err)
		seen[label]++
		for _, v := range img.Pix {
			sum += float64(v)
		}
		n += float64(len(img.Pix))
	}
	require.Len(t, seen, 10)
	require.InDelta(t, float64(info.Mean[0]), sum/n/255, 0.005)
}

func TestOpenMNIST(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	write("train-images-idx3-ubyte.gz", gzipped(t, idx(make([]byte, 8), 2, 2, 2)))
	write("train-labels-idx1-ubyte", idx([]byte{7, 9}, 2))
	write("t10k-images-idx3-ubyte", idx([]byte{1, 2, 3, 4}, 1, 2, 2))
	write("t10k-labels-idx1-ubyte.gz", gzipped(t, idx([]byte{3}, 1)))
	open := func() (*Set, error) { return Open(context.Background(), "mnist:"+dir, OpenOptions{Channels: 3}) }

	set, err := open()
	require.NoError(t, err)
	info := set.Test.Info()
	require.Equal(t, 3, info.C)
	require.Len(t, info.Mean, 3)
	require.False(t, info.Mirror)
	var img Image
	label, err := set.Test.Decode(0, &img)
	require.NoError(t, err)
	require.EqualValues(t, 3, label)
	require.Equal(t, Image{Pix: []byte{1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4}, H: 2, W: 2, C: 3}, img)

	write("t10k-images-idx3-ubyte", idx(make([]byte, 3), 1, 1, 3))
	_, err = open()
	requireFileError(t, err, dir, -1, -1, "training images measure 2×2, test images 1×3")

	labels := filepath.Join(dir, "train-labels-idx1-ubyte")
	write("train-labels-idx1-ubyte", idx([]byte{7, 10}, 2))
	_, err = open()
	requireFileError(t, err, labels, 9, 1, "label 10 is not below 10")

	write("train-labels-idx1-ubyte", idx([]byte{7}, 1))
	_, err = open()
	requireFileError(t, err, labels, 4, -1, "1 labels for 2 images")

	require.NoError(t, os.Remove(labels))
	_, err = open()
	requireFileError(t, err, labels+"[.gz]", -1, -1, "make data")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestOpenErrors(t *testing.T) {
	for _, c := range []struct {
		spec string
		opt  OpenOptions
		text string
	}{
		{"cifar", OpenOptions{}, `no data set or folder "cifar": did you mean cifar10?`},
		{"fashion", OpenOptions{}, "did you mean fashion-mnist"},
		{"fashon-mnist", OpenOptions{}, "did you mean fashion-mnist"},
		{"imagenet:/x", OpenOptions{}, "there are fashion-mnist-mini, fashion-mnist, mnist, cifar10, folder"},
		{"folder", OpenOptions{}, "folder:DIR"},
		{"mnist", OpenOptions{Channels: 2}, "2 channels"},
		{"fashion-mnist-mini:/x", OpenOptions{}, "did you mean fashion-mnist:/x?"},
		{"cifar10:/nowhere", OpenOptions{}, "/nowhere/data_batch_1.bin: no such file"},
	} {
		t.Run(c.spec, func(t *testing.T) {
			_, err := Open(context.Background(), c.spec, c.opt)
			require.ErrorContains(t, err, c.text)
		})
	}
}

func TestChannels(t *testing.T) {
	colour := &memory{
		info:   Info{Name: "m", Classes: []string{"x"}, C: 3, H: 1, W: 2, Mean: []float32{1, 0, 0}, Std: []float32{1, 1, 1}},
		pix:    []byte{255, 0, 0, 255, 255, 255},
		labels: []uint8{0},
	}
	require.Same(t, colour, asChannels(colour, 3))
	grey := asChannels(colour, 1)
	require.InDeltaSlice(t, []float32{0.299}, grey.Info().Mean, 1e-6)
	require.InDeltaSlice(t, []float32{1}, grey.Info().Std, 1e-6)
	var img Image
	_, err := grey.Decode(0, &img)
	require.NoError(t, err)
	require.Equal(t, Image{Pix: []byte{76, 255}, H: 1, W: 2, C: 1}, img)
}

func TestFullSets(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("reads 240 MB")
	}
	for spec, n := range map[string][2]int{"cifar10": {50000, 10000}, "fashion-mnist": {60000, 10000}} {
		t.Run(spec, func(t *testing.T) {
			dir := filepath.Join("..", "data", spec)
			if _, err := os.Stat(dir); err != nil {
				t.Skip("run `make data` first")
			}
			set, err := Open(context.Background(), spec+":"+dir, OpenOptions{})
			require.NoError(t, err)
			require.Equal(t, n, [2]int{set.Train.Len(), set.Test.Len()})
		})
	}
}
