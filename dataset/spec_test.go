package dataset

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// touch makes empty files and their folders.
func touch(t *testing.T, root string, names ...string) {
	t.Helper()
	for _, n := range names {
		path := filepath.Join(root, n)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, nil, 0o644))
	}
}

func TestResolve(t *testing.T) {
	t.Chdir(t.TempDir())
	home := t.TempDir()
	t.Setenv("HOME", home)
	touch(t, ".", "photos/train/cat/1.jpg", "shards/train-000.tar", "parts/train/a.tar", "data/cifar10/data_batch_1.bin",
		"data/fashion-mnist/train-images-idx3-ubyte.gz", "digits/train-images.idx3-ubyte", "one.tar", "one.jpg")
	touch(t, home, "mine/cat/1.jpg")
	for spec, want := range map[string]string{
		"cifar10": "cifar10", "CIFAR10": "cifar10", "cifar-10": "cifar10", "Fashion_MNIST": "fashion-mnist", "mnist:x": "mnist:x",
		"photos": "folder:photos", "./photos": "folder:./photos", "photos/": "folder:photos/", "Folder:photos": "folder:photos",
		"folder:anything at all": "folder:anything at all",
		"shards":                 "tar:shards", "parts": "tar:parts", "data/cifar10": "cifar10:data/cifar10", "digits": "mnist:digits",
		"data/fashion-mnist": "fashion-mnist:data/fashion-mnist",
		"folder:~/mine":      "folder:" + filepath.Join(home, "mine"), "~/mine": "folder:" + filepath.Join(home, "mine"), "folder:~": "folder:" + home,
		"folder:~other/x": "folder:~other/x",
	} {
		got, err := Resolve(spec)
		require.NoError(t, err, spec)
		require.Equal(t, want, got, spec)
	}
	for spec, want := range map[string]string{
		"photo":            `no data set or folder "photo": did you mean photos?`,
		"cifar":            "did you mean cifar10?",
		"imagenet":         "there are fashion-mnist-mini, ",
		"./photo":          "no such file or directory (did you mean photos?)",
		"photos/train/cut": "did you mean " + filepath.Join("photos", "train", "cat") + "?",
		"photos/zzz/b/c":   `photos has no "zzz"`,
		"one.tar":          "name the folder that it is in, tar:.",
		"one.jpg":          "is a file: name a folder",
	} {
		_, err := Resolve(spec)
		require.ErrorContains(t, err, want, spec)
	}
}

// The error for a folder that does not exist names it once, with a folder that may be meant.
func TestOpenMissing(t *testing.T) {
	t.Chdir(t.TempDir())
	touch(t, ".", "photos/train/cat/1.jpg")
	for _, kind := range []string{"folder:", "tar:"} {
		_, err := Open(context.Background(), kind+"phtos", OpenOptions{})
		require.ErrorContains(t, err, "phtos: no such file or directory (did you mean photos?)")
		require.Equal(t, 1, strings.Count(err.Error(), "phtos"), err)
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

func TestCounts(t *testing.T) {
	t.Chdir(t.TempDir())
	touch(t, ".", "train/a/1.png", "train/a/2.png", "train/b/1.png", "train/c/1.png", "val/b/1.png", "val/b/2.png")
	for _, cache := range []int64{0, 1 << 20} {
		set, err := Open(context.Background(), "folder:.", OpenOptions{Cache: cache, Channels: 1})
		require.NoError(t, err)
		defer set.Close()
		require.Equal(t, []int{2, 1, 1}, Counts(set.Train))
		require.Equal(t, []int{0, 2, 0}, Counts(set.Test))
	}
	set, err := Open(context.Background(), "fashion-mnist-mini", OpenOptions{Channels: 3})
	require.NoError(t, err)
	require.Equal(t, []int{560, 643, 608, 612, 584, 594, 590, 617, 590, 602}, Counts(set.Train))
	require.Nil(t, Counts(struct{ Source }{set.Train}), "of a source that does not say")
}
