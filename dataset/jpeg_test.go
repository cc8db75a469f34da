package dataset

import (
	"bytes"
	"image/jpeg"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	ours "github.com/tributary-ml/tributary/dataset/internal/jpeg"
	"github.com/tributary-ml/tributary/dataset/internal/turbojpeg"
)

// libjpegTurbo returns a decoder of the machine's library, if it has one.
func libjpegTurbo(t *testing.T) *turbojpeg.Decoder {
	m := machineJPEG()
	if m.err != nil {
		t.Skip(m.err)
	}
	return m.lib.NewDecoder()
}

// jpegs returns JPEG files of all kinds and sizes.
func jpegs(t *testing.T) map[string][]byte {
	files := map[string][]byte{}
	for _, pattern := range []string{"testdata/images/*", "internal/turbojpeg/testdata/*.jpg"} {
		names, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range names {
			if data := readFile(t, name); bytes.HasPrefix(data, []byte{0xff, 0xd8}) {
				files[name] = data
			}
		}
	}
	require.Greater(t, len(files), 20)
	return files
}

// requireSame asserts that the library and Go decode a file alike. It reports whether the library
// accepts the file.
func requireSame(t *testing.T, d *turbojpeg.Decoder, name string, data []byte) bool {
	t.Helper()
	h, err := turbojpeg.ReadHeader(data)
	if err != nil || h.Width*h.Height > 1<<20 {
		return false
	}
	want, got := make([]byte, h.Width*h.Height*3), make([]byte, h.Width*h.Height*3)
	if d.Decode(data, 3, got) != nil {
		return false
	}
	require.NoError(t, new(ours.Decoder).Decode(data, 3, want), name)
	require.True(t, bytes.Equal(want, got), name)
	return true
}

// libjpeg-turbo and the decoder in Go give the same pixels, even for damaged files.
func TestTurboIsGo(t *testing.T) {
	d := libjpegTurbo(t)
	rng := rand.New(rand.NewPCG(5, 6))
	taken, damaged := 0, 0
	for name, data := range jpegs(t) {
		if requireSame(t, d, name, data) {
			taken++
		}
		for range 15 {
			bad := bytes.Clone(data)
			bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
			if requireSame(t, d, name, bad) {
				damaged++
			}
		}
	}
	require.Greater(t, taken, 15)
	require.Greater(t, damaged, 200)
	for i := range 150 {
		m := pattern(1+rng.IntN(70), 1+rng.IntN(70))
		for j := range m.Pix {
			m.Pix[j] += byte(rng.UintN(1 + uint(i)))
		}
		var file bytes.Buffer
		require.NoError(t, jpeg.Encode(&file, m, &jpeg.Options{Quality: 1 + rng.IntN(100)}))
		require.True(t, requireSame(t, d, m.Rect.String(), file.Bytes()))
	}
}
