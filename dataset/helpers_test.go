package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"
)

// numbered is a source of n tiny images, each of which holds its index. It cannot decode those in
// bad.
type numbered struct {
	n   int
	bad map[int]error
}

func (s numbered) Info() Info {
	return Info{Name: "numbered", Classes: []string{"a", "b", "c"}, C: 1, H: 4, W: 4, Mirror: true}
}

func (s numbered) Len() int { return s.n }

func (s numbered) Decode(i int, dst *Image) (int32, error) {
	if err := s.bad[i]; err != nil {
		return 0, err
	}
	dst.Reshape(4, 4, 1)
	for k := range dst.Pix {
		dst.Pix[k] = byte(i + 16*k)
	}
	return int32(i % 3), nil
}

// idx returns an IDX file of unsigned bytes.
func idx(data []byte, dims ...uint32) []byte {
	out := []byte{0, 0, idxUint8, byte(len(dims))}
	for _, d := range dims {
		out = binary.BigEndian.AppendUint32(out, d)
	}
	return append(out, data...)
}

func gzipped(t testing.TB, data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// cifarFile returns n records whose bytes count up, and whose labels are 0, 1, 2 …
func cifarFile(n int) []byte {
	out := make([]byte, n*cifarRecord)
	for i := range out {
		out[i] = byte(i)
	}
	for i := range n {
		out[i*cifarRecord] = byte(i % 10)
	}
	return out
}

// pattern returns an image whose colours all differ a little.
func pattern(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, color.NRGBA{uint8(3 * x), uint8(5 * y), uint8(x + y), 255})
		}
	}
	return m
}

func jpegFile(t testing.TB, w, h int) []byte {
	var out bytes.Buffer
	require.NoError(t, jpeg.Encode(&out, pattern(w, h), nil))
	return out.Bytes()
}

func pngFile(t testing.TB, m image.Image) []byte {
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, m))
	return out.Bytes()
}

// requireFileError asserts that err is a FileError with all these parts.
func requireFileError(t *testing.T, err error, file string, offset int64, record int, text string) {
	t.Helper()
	var f *FileError
	require.True(t, errors.As(err, &f), "%T: %v", err, err)
	require.Equal(t, file, f.File)
	require.Equal(t, offset, f.Offset, err)
	require.Equal(t, record, f.Record, err)
	require.ErrorContains(t, err, text)
	require.NotEmpty(t, f.Remedy)
}

// decode calls decodePiece for the whole image.
func (d *decoder) decode(data []byte, c int, dst *Image) (offset int64, err error) {
	_, offset, err = d.decodePiece(data, c, everything, dst)
	return offset, err
}

// decodeImage decodes an image without a limit on memory.
func decodeImage(data []byte, c int, dst *Image) (offset int64, err error) {
	return new(decoder).decode(data, c, dst)
}
