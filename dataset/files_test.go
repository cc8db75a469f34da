package dataset

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFiles(t *testing.T) {
	p, j := pngFile(t, pattern(6, 4)), jpegFile(t, 5, 7)
	dir := tree(t, map[string][]byte{"a/2.png": p, "a/1.jpg": j, "a/b/3.png": p, "a/notes.txt": nil, "a/.hidden.png": p, "photo": j, "bad.png": p[:40], "none/x.txt": nil})
	in := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	s, err := Files(context.Background(), []string{in("photo"), in("a"), in("bad.png"), in("photo")}, OpenOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{in("photo"), in("a/1.jpg"), in("a/2.png"), in("a/b/3.png"), in("bad.png"), in("photo")}, s.Info().Classes)
	require.Equal(t, 6, s.Len())
	var img Image
	for i, want := range [][2]int{{7, 5}, {7, 5}, {4, 6}, {4, 6}, {}, {7, 5}} {
		label, err := s.Decode(i, &img)
		if i == 4 {
			require.ErrorContains(t, err, in("bad.png"))
			require.ErrorAs(t, err, new(*FileError))
			continue
		}
		require.NoError(t, err)
		require.EqualValues(t, i, label)
		require.Equal(t, want, [2]int{img.H, img.W})
		require.Equal(t, 3, img.C)
	}
	grey, err := Files(context.Background(), []string{in("photo")}, OpenOptions{Channels: 1})
	require.NoError(t, err)
	_, err = grey.Decode(0, &img)
	require.NoError(t, err)
	require.Equal(t, 1, img.C)

	// A path that is no image keeps its place, and the rest goes on.
	s, err = Files(context.Background(), []string{in("phto"), in("photo"), in("none"), in("a/2.png/x")}, OpenOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{in("phto"), in("photo"), in("none"), in("a/2.png/x")}, s.Info().Classes)
	for i, want := range []string{"phto: no such file or directory (did you mean " + in("photo") + "?)", "", "the folder holds no images", "not a directory"} {
		label, err := s.Decode(i, &img)
		if want == "" {
			require.NoError(t, err)
			require.EqualValues(t, i, label)
			continue
		}
		require.ErrorContains(t, err, want)
		require.ErrorAs(t, err, new(*FileError))
	}
	_, err = s.Decode(0, &img)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Files(context.Background(), nil, OpenOptions{})
	require.ErrorContains(t, err, "name some")
	_, err = Files(context.Background(), []string{in("photo")}, OpenOptions{Channels: 2})
	require.ErrorContains(t, err, "2 channels")
}

func TestSubset(t *testing.T) {
	s := Subset(numbered{n: 9}, []int{7, 2})
	require.Equal(t, 2, s.Len())
	require.Equal(t, "numbered", s.Info().Name)
	var img Image
	label, err := s.Decode(0, &img)
	require.NoError(t, err)
	require.EqualValues(t, 7%3, label)
	require.Equal(t, byte(7), img.Pix[0])
}
