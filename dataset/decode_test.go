package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image/color"
	"image/gif"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/augment"
)

func TestDecodeImagePNG(t *testing.T) {
	m := pattern(5, 3)
	m.SetNRGBA(1, 0, color.NRGBA{100, 150, 200, 7}) // transparency is dropped
	var rgb, grey Image
	_, err := decodeImage(pngFile(t, m), 3, &rgb)
	require.NoError(t, err)
	require.Equal(t, []int{3, 5, 3}, []int{rgb.H, rgb.W, rgb.C})
	require.Equal(t, []byte{0, 0, 0, 100, 150, 200, 6, 0, 2}, rgb.Pix[:9])
	require.Equal(t, []byte{12, 10, 6}, rgb.Pix[3*(2*5+4):][:3])

	_, err = decodeImage(pngFile(t, m), 1, &grey)
	require.NoError(t, err)
	require.Equal(t, 15, len(grey.Pix))
	require.Equal(t, augment.Luma(100, 150, 200), grey.Pix[1])
}

// The standard library's edge cases decode to about the same picture. With their ends cut off they
// fail.
func TestDecodeStandardLibraryImages(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("no go command")
	}
	files, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "src/image/testdata/video-001*"))
	if len(files) == 0 {
		t.Skip("no image/testdata in GOROOT")
	}
	decoded := func(name string) (m Image) {
		_, err := decodeImage(readFile(t, filepath.Join(filepath.Dir(files[0]), name)), 3, &m)
		require.NoError(t, err)
		return m
	}
	rgb, cmyk, few := decoded("video-001.png"), decoded("video-001.cmyk.png"), decoded("video-001.progressive.truncated.png")
	for _, file := range files {
		name := filepath.Base(file)
		data := readFile(t, file)
		var got Image
		_, err := decodeImage(data, 3, &got)
		require.NoError(t, err, name)
		want := rgb
		switch {
		case strings.Contains(name, "cmyk"):
			want = cmyk
		case strings.Contains(name, "truncated"): // some scans are missing, with a proper end
			want = few
		}
		require.Equal(t, []int{want.H, want.W}, []int{got.H, got.W}, name)
		sum := 0
		for i := range got.Pix {
			sum += max(int(got.Pix[i])-int(want.Pix[i]), int(want.Pix[i])-int(got.Pix[i]))
		}
		require.Less(t, float64(sum)/float64(len(got.Pix)), 12.0, name)
		_, err = decodeImage(data, 1, &got)
		require.NoError(t, err, name)
		require.Equal(t, got.H*got.W, len(got.Pix))
		_, err = decodeImage(data[:len(data)*2/3], 3, &got)
		require.ErrorContains(t, err, "damaged", name)
	}
}

func readFile(t testing.TB, path string) []byte {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// Small images of all formats decode to exactly Pillow's pixels; testdata/pillow.py made them.
func TestDecodePillowImages(t *testing.T) {
	table := string(readFile(t, "testdata/images.tsv"))
	digest := func(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
	n := 0
	var images decoder // it keeps the memory of the previous image
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		require.Len(t, f, 4)
		n++
		t.Run(f[0], func(t *testing.T) {
			file := readFile(t, "testdata/images/"+f[0])
			for c, want := range map[int]string{3: f[2], 1: f[3]} {
				var got, other Image
				require.NoError(t, decodeInGo(&images, file, c, &got))
				_, err := images.decode(file, c, &other)
				require.NoError(t, err)
				require.Equal(t, got.Pix, other.Pix)
				require.Equal(t, f[1], fmt.Sprintf("%dx%d", got.W, got.H))
				require.Equal(t, c, got.C)
				require.Equal(t, want, digest(got.Pix), "%d channels", c)
			}
		})
	}
	require.Equal(t, 132, n)
}

func TestDecodeImageErrors(t *testing.T) {
	j := jpegFile(t, 40, 30)
	p := pngFile(t, pattern(40, 30))
	damaged := bytes.Clone(p)
	damaged[len(damaged)/2] ^= 0xff
	var g bytes.Buffer
	require.NoError(t, gif.Encode(&g, pattern(8, 8), nil))
	for _, c := range []struct {
		name string
		file []byte
		text string
	}{
		{"empty", nil, "the file is empty"},
		{"text", []byte("<html>404"), "starts with 3c 68 74 6d 6c 3e 34 30: not a JPEG, PNG, GIF, WebP, BMP, TIFF or PNM"},
		{"JPEG truncated", j[:len(j)/2], "damaged JPEG"},
		{"JPEG header", j[:10], "damaged JPEG header"},
		{"PNG truncated", p[:len(p)/2], "damaged PNG"},
		{"PNG damaged", damaged, "damaged PNG"},
		{"GIF truncated", g.Bytes()[:g.Len()/2], "damaged GIF"},
		{"WebP header", []byte("RIFF\x20\x00\x00\x00WEBPVP8 "), "damaged WebP"},
		{"AVIF", []byte("\x00\x00\x00\x20ftypavif"), "a file of the format AVIF, which is not read: convert it to a JPEG, PNG"},
		{"too many pixels", pngHeader(1<<16, 1<<16), "65536×65536 pixels, far too many"},
		{"too many for its bytes", pngHeader(8000, 8000), "far too many for a file of"},
		{"absurd", pngHeader(1<<31-1, 1<<31-1), "PNG"},
	} {
		t.Run(c.name, func(t *testing.T) {
			offset, err := decodeImage(c.file, 3, &Image{})
			require.ErrorContains(t, err, c.text)
			require.LessOrEqual(t, offset, int64(len(c.file)))
		})
	}
}

// pngHeader returns a PNG that claims w×h pixels of 16-bit RGBA but has none.
func pngHeader(w, h uint32) []byte {
	var chunk []byte
	chunk = append(chunk, "IHDR"...)
	chunk = binary.BigEndian.AppendUint32(chunk, w)
	chunk = binary.BigEndian.AppendUint32(chunk, h)
	chunk = append(chunk, 16, 6, 0, 0, 0)
	out := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	out = append(out, chunk...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
	return append(out, "\x00\x00\x00\x00IDAT"...)
}

func FuzzDecodeImage(f *testing.F) {
	f.Add(jpegFile(f, 20, 10))
	f.Add(pngFile(f, pattern(7, 5)))
	f.Add(pngHeader(3000, 3000))
	var g bytes.Buffer
	require.NoError(f, gif.Encode(&g, pattern(6, 6), nil))
	f.Add(g.Bytes())
	files, err := filepath.Glob("testdata/images/*")
	require.NoError(f, err)
	for _, file := range files {
		f.Add(readFile(f, file))
	}
	images := &decoder{memory: newBudget(256 << 20)}
	f.Fuzz(func(t *testing.T, file []byte) {
		var m Image
		if offset, err := images.decode(file, 3, &m); err != nil {
			require.LessOrEqual(t, offset, int64(len(file)))
			return
		}
		require.Len(t, m.Pix, m.H*m.W*3)
		require.NotEmpty(t, m.Pix)
	})
}
