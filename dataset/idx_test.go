package dataset

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadIDX(t *testing.T) {
	want := []byte("abcdefghijkl")
	plain := idx(want, 3, 2, 2)
	for name, file := range map[string][]byte{"plain": plain, "gzip": gzipped(t, plain)} {
		t.Run(name, func(t *testing.T) {
			dims := make([]int, 3)
			got, err := readIDX(bytes.NewReader(file), "f", int64(len(file)), dims)
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Equal(t, []int{3, 2, 2}, dims)
		})
	}
}

func TestReadIDXErrors(t *testing.T) {
	good := idx(make([]byte, 12), 3, 2, 2)
	zipped := gzipped(t, good)
	badSum := bytes.Clone(zipped)
	badSum[len(badSum)-5] ^= 1
	for _, c := range []struct {
		name   string
		file   []byte
		offset int64
		record int
		text   string
	}{
		{"empty", nil, 0, -1, "ends within its header"},
		{"short header", good[:9], 9, -1, "ends within its header of 16 bytes after 9"},
		{"labels for images", idx(make([]byte, 12), 12), 0, -1, "magic number 00 00 08 01 is not 00 00 08 03"},
		{"signed bytes", append([]byte{0, 0, 9, 3}, good[4:]...), 0, -1, "magic number"},
		{"no images", idx(nil, 0, 2, 2), 4, -1, "no images"},
		{"no columns", idx(nil, 3, 2, 0), 12, -1, "dimension 2 is 0"},
		{"giant image", idx(nil, 1, 5000, 1), 8, -1, "images of 5000 pixels"},
		{"giant count", idx(make([]byte, 12), 1<<32-1, 4096, 4096), 4, -1, "cannot hold"},
		{"truncated", good[:27], 27, 2, "truncated: 11 of 12 bytes"},
		{"larger than the file", idx(nil, 3, 4, 4), 12, -1, "cannot hold them"},
		{"truncated in gzip", gzipped(t, good[:26]), 26, 2, "truncated: 10 of 12 bytes"},
		{"truncated gzip", zipped[:len(zipped)-12], -2, -2, "unexpected EOF"},
		{"checksum", badSum, 28, -1, "checksum"},
		{"trailing", append(bytes.Clone(good), 0), 28, -1, "more data"},
		{"gzip header", []byte{0x1f, 0x8b, 99, 0}, 0, -1, "gzip header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readIDX(bytes.NewReader(c.file), "f", int64(len(c.file)), make([]int, 3))
			if c.offset == -2 { // compress/flate determines where a cut gzip stream ends
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				return
			}
			requireFileError(t, err, "f", c.offset, c.record, c.text)
		})
	}
}

// A header that announces gigabytes, in a file that could hold them but does not, costs little
// memory.
func TestReadIDXHostileHeader(t *testing.T) {
	file := gzipped(t, append(idx(nil, 1000, 1000, 1000), make([]byte, 1000)...))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readIDX(bytes.NewReader(file), "f", 1<<30, make([]int, 3))
	runtime.ReadMemStats(&after)
	requireFileError(t, err, "f", 1016, 0, "truncated")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20))
}

func FuzzReadIDX(f *testing.F) {
	good := idx(make([]byte, 12), 3, 2, 2)
	f.Add(good)
	f.Add(good[:20])
	f.Add(gzipped(f, good))
	f.Add(idx(nil, 1<<31, 4096, 4096))
	f.Fuzz(func(t *testing.T, file []byte) {
		dims := make([]int, 3)
		data, err := readIDX(bytes.NewReader(file), "f", int64(len(file)), dims)
		if err == nil {
			require.Len(t, data, dims[0]*dims[1]*dims[2])
			require.NotEmpty(t, data)
		}
	})
}
