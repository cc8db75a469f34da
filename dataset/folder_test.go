package dataset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// tree writes files, given by their names, into a new folder and returns it.
func tree(t testing.TB, files map[string][]byte) string {
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, data, 0o644))
	}
	return dir
}

func openTree(dir string, opt OpenOptions) (*Set, error) {
	return Open(context.Background(), "folder:"+dir, opt)
}

func TestFolderTrainVal(t *testing.T) {
	for _, val := range []string{"val", "validation", "test"} {
		p, j := pngFile(t, pattern(6, 4)), jpegFile(t, 5, 7)
		dir := tree(t, map[string][]byte{
			"train/cat/1.png": p, "train/cat/2.JPEG": j, "train/cat/deep/3.jpg": p, // a PNG with a JPEG's name
			"train/dog/1.jpg": j, "train/dog/notes.txt": nil, "train/dog/.hidden.jpg": nil,
			val + "/dog/9.png": p,
		})
		require.NoError(t, os.Symlink(filepath.Join(dir, "train/cat"), filepath.Join(dir, val, "cat")))
		set, err := openTree(dir, OpenOptions{})
		require.NoError(t, err)
		info := set.Test.Info()
		require.Equal(t, []string{"cat", "dog"}, info.Classes)
		require.Equal(t, []int{0, 0, 3}, []int{info.H, info.W, info.C})
		require.Equal(t, 4, set.Train.Len())
		require.Equal(t, 4, set.Test.Len())

		var img Image
		for i, want := range []struct {
			label int32
			h, w  int
		}{{0, 4, 6}, {0, 7, 5}, {0, 4, 6}, {1, 7, 5}} {
			label, err := set.Train.Decode(i, &img)
			require.NoError(t, err)
			require.Equal(t, want.label, label)
			require.Equal(t, []int{want.h, want.w, 3}, []int{img.H, img.W, img.C})
		}
		label, err := set.Test.Decode(3, &img)
		require.NoError(t, err)
		require.EqualValues(t, 1, label)

		set, err = openTree(dir, OpenOptions{Channels: 1})
		require.NoError(t, err)
		require.Len(t, set.Train.Info().Mean, 1)
		_, err = set.Train.Decode(0, &img)
		require.NoError(t, err)
		require.Equal(t, 1, img.C)
	}
}

func TestFolderSplit(t *testing.T) {
	files := map[string][]byte{}
	for i := range 30 {
		files[fmt.Sprintf("a/%02d.png", i)] = nil
	}
	files["b/1.png"], files["b/2.png"] = nil, nil
	dir := tree(t, files)
	parts := func(seed uint64) (train, test []string) {
		set, err := openTree(dir, OpenOptions{Seed: seed})
		require.NoError(t, err)
		return set.Train.(*imageFolder).files, set.Test.(*imageFolder).files
	}
	train, test := parts(1)
	require.Len(t, test, 4) // 3 of 30, 1 of 2
	require.Len(t, train, 28)
	require.ElementsMatch(t, append(append([]string{}, train...), test...), mapKeys(files))

	again, _ := parts(1)
	require.Equal(t, train, again)
	other, _ := parts(2)
	require.NotEqual(t, train, other)
}

func mapKeys(m map[string][]byte) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

func TestFolderErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		file  string // named in the error
		text  string
	}{
		{"no classes", []string{"1.jpg"}, "", "has 0 class folders, at least 2 are needed"},
		{"one class", []string{"x/1.jpg"}, "", "has 1 class folders"},
		{"empty class", []string{"x/1.jpg", "x/2.jpg", "y/readme.md"}, "y", "the class folder holds no images"},
		{"cannot split", []string{"x/1.jpg", "y/1.jpg", "y/2.jpg"}, "x/1.jpg", "its class's only image"},
		{"new class in val", []string{"train/x/1.jpg", "train/y/1.jpg", "val/z/1.jpg"}, "val/z", `class "z" has no folder among the training images`},
		{"empty val", []string{"train/x/1.jpg", "train/y/1.jpg", "val/readme.md"}, "val", "holds no class folders"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string][]byte{}
			for _, f := range c.files {
				files[f] = nil
			}
			dir := tree(t, files)
			_, err := openTree(dir, OpenOptions{})
			requireFileError(t, err, filepath.Join(dir, c.file), -1, -1, c.text)
		})
	}
	_, err := openTree("/nowhere/at/all", OpenOptions{})
	requireFileError(t, err, "/nowhere/at/all", -1, -1, "no such file")

	dir := tree(t, map[string][]byte{"a/1.png": nil, "b/1.png": nil})
	require.NoError(t, os.Symlink("nothing", filepath.Join(dir, "c")))
	_, err = openTree(dir, OpenOptions{})
	requireFileError(t, err, filepath.Join(dir, "c"), -1, -1, "the link leads nowhere")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Open(ctx, "folder:"+tree(t, map[string][]byte{"a/1.png": nil, "b/1.png": nil}), OpenOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestFolderDecodeErrors(t *testing.T) {
	j := jpegFile(t, 40, 30)
	dir := tree(t, map[string][]byte{
		"train/a/bad.jpg": j[:len(j)/2], "train/a/empty.jpg": nil, "train/a/gone.jpg": j,
		"train/b/good.jpg": j, "val/a/good.jpg": j,
	})
	set, err := openTree(dir, OpenOptions{})
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "train/a/gone.jpg")))

	var img Image
	_, err = set.Train.Decode(0, &img)
	requireFileError(t, err, filepath.Join(dir, "train/a/bad.jpg"), int64(len(j)/2), -1, "damaged JPEG")
	_, err = set.Train.Decode(1, &img)
	requireFileError(t, err, filepath.Join(dir, "train/a/empty.jpg"), 0, -1, "the file is empty")
	_, err = set.Train.Decode(2, &img)
	requireFileError(t, err, filepath.Join(dir, "train/a/gone.jpg"), -1, -1, "no such file")
	require.ErrorIs(t, err, os.ErrNotExist)

	// A loader stops at the first bad image, or skips them all and reports them.
	loader, err := NewLoader(set.Train, Fit{H: 8, W: 8, Resize: 9}, LoaderOptions{Batch: 4, SkipBad: true})
	require.NoError(t, err)
	batches := collect(t, loader, 0, 0)
	require.Len(t, batches, 1)
	require.Equal(t, []int32{1, Ignored, Ignored, Ignored}, batches[0].Labels)
	require.Len(t, batches[0].Skipped, 3)
	require.ErrorContains(t, batches[0].Skipped[1], "empty.jpg")
}
