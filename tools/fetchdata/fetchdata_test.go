package main

import (
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// hello is the SHA-256 of "hello".
const hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

func TestFetch(t *testing.T) {
	dir := t.TempDir()
	content, calls := "hello", 0
	s := set{
		name:  "greeting",
		files: []file{{"a/one", hello}, {"a/two", hello}},
		make: func(_ context.Context, _, out string) error {
			calls++
			require.NoError(t, os.MkdirAll(filepath.Join(out, "a"), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(out, "a/one"), []byte("hello"), 0o600))
			return os.WriteFile(filepath.Join(out, "a/two"), []byte(content), 0o600)
		},
	}
	two := filepath.Join(dir, "a/two")

	// Nothing appears while anything is wrong, and no temporary file stays.
	content = "other"
	require.ErrorContains(t, s.fetch(context.Background(), dir), "a/two has another hash")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	content = "hello"
	require.NoError(t, s.fetch(context.Background(), dir))
	require.FileExists(t, two)
	require.NoError(t, s.fetch(context.Background(), dir))
	require.Equal(t, 2, calls, "what is there and valid is not fetched again")

	require.NoError(t, os.WriteFile(two, []byte("damaged"), 0o644))
	require.NoError(t, s.fetch(context.Background(), dir))
	got, err := os.ReadFile(two)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))

	require.NoError(t, os.Remove(two))
	broken := errors.New("no network")
	s.make = func(context.Context, string, string) error { return broken }
	require.ErrorIs(t, s.fetch(context.Background(), dir), broken)
	require.FileExists(t, filepath.Join(dir, "a/one"))
}

func TestChoose(t *testing.T) {
	all, err := choose(nil)
	require.NoError(t, err)
	require.Len(t, all, len(sets))
	one, err := choose([]string{"cifar10"})
	require.NoError(t, err)
	require.Equal(t, "cifar10", one[0].name)
	_, err = choose([]string{"cifar"})
	require.ErrorContains(t, err, `no set "cifar": the sets are fashion-mnist, cifar10`)
}

func TestCommand(t *testing.T) {
	err := command(context.Background(), t.TempDir(), "no-such-program", "x")
	require.ErrorContains(t, err, "no-such-program is needed (for `no-such-program x`) and not in PATH")
	err = command(context.Background(), t.TempDir(), "go", "no-such-command")
	require.ErrorContains(t, err, "unknown command")
}

func TestReadLabels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "labels.json")
	for text, want := range map[string]string{
		"[1,2,3]": "", "[1,2]": "holds 2 labels, not 3", "[1,2,10]": "label 2 is 10", "[1,": "unexpected end", "[-1,2,3]": "labels.json",
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		labels, err := readLabels(path, 3)
		if want != "" {
			require.ErrorContains(t, err, want)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, []uint8{1, 2, 3}, labels)
	}
}

func TestConvertSheet(t *testing.T) {
	dir := t.TempDir()
	write := func(img image.Image) string {
		f, err := os.Create(filepath.Join(dir, "sheet.png"))
		require.NoError(t, err)
		require.NoError(t, (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(f, img))
		require.NoError(t, f.Close())
		return f.Name()
	}
	img := image.NewRGBA(image.Rect(0, 0, cifarPlane, cifarRows))
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 255
	}
	img.SetRGBA(5, 1, color.RGBA{10, 20, 30, 255})
	bin := filepath.Join(dir, "batch.bin")
	require.NoError(t, convertSheet(write(img), []uint8{7, 8}, bin))
	got, err := os.ReadFile(bin)
	require.NoError(t, err)
	record := 1 + 3*cifarPlane
	require.Len(t, got, 2*record)
	require.Equal(t, []byte{7, 8}, []byte{got[0], got[record]})
	second := got[record+1:]
	require.Equal(t, []byte{10, 20, 30}, []byte{second[5], second[5+cifarPlane], second[5+2*cifarPlane]})

	require.ErrorContains(t, convertSheet(write(image.NewRGBA(image.Rect(0, 0, 3, 3))), nil, bin), "the sheet measures (3,3)")
}
