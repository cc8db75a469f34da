package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tributary-ml/tributary/dataset/internal/raster"
)

// arithmeticLimit is the size up to which Pillow reads JPEGs with arithmetic coding: its own reader
// passes on that many bytes at a time.
const arithmeticLimit = 1 << 16

// Random images of all formats decode to Pillow's pixels. The test needs a Python with Pillow and
// numpy in $PILLOW, and cjpeg. $PILLOW_N is the number of images of each kind, $PILLOW_SEED their
// seed.
func TestPillow(t *testing.T) {
	python := os.Getenv("PILLOW")
	if python == "" {
		t.Skip("PILLOW names no Python with Pillow and numpy")
	}
	number := func(name, otherwise string) string {
		if v := os.Getenv(name); v != "" {
			return v
		}
		return otherwise
	}
	for _, kind := range []string{"jpeg", "progressive", "damaged", "png", "gif", "webp", "bmp", "tiff", "pnm"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(python, "testdata/pillow.py", "stream", number("PILLOW_N", "300"), number("PILLOW_SEED", "1"), kind)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			require.NoError(t, err, stderr.String())
			comparePillow(t, kind, out)
		})
	}
}

// comparePillow compares the records of a stream that testdata/pillow.py writes.
func comparePillow(t *testing.T, kind string, stream []byte) {
	r := bytes.NewReader(stream)
	number := func() int {
		var v int32
		require.NoError(t, binary.Read(r, binary.LittleEndian, &v))
		return int(v)
	}
	read := func(n int) []byte {
		b := make([]byte, n)
		_, err := io.ReadFull(r, b)
		require.NoError(t, err)
		return b
	}
	var images decoder
	n, refused, wrong := 0, 0, 0
	for ; r.Len() > 0; n++ {
		file := read(number())
		fault := ""
		w, h := number(), number()
		if w < 0 {
			refused++
			fault = pillowRefuses(&images, file, string(read(h)))
		} else {
			fault = pillowReads(&images, file, w, h, read(3*w*h), read(w*h))
		}
		if fault != "" {
			name := fmt.Sprintf("%s/%s-%d", os.TempDir(), kind, n)
			require.NoError(t, os.WriteFile(name, file, 0o644))
			t.Errorf("%s: %s", name, fault)
			if wrong++; wrong == 20 {
				break
			}
		}
	}
	t.Logf("%d images, of which Pillow refuses %d", n, refused)
}

// decodeInGo decodes an image without the machine's libjpeg-turbo.
func decodeInGo(images *decoder, file []byte, c int, dst *Image) error {
	f, ok := formatOf(formats, file)
	if !ok || f.name != "JPEG" {
		_, err := images.decode(file, c, dst)
		return err
	}
	h, err := f.header(file)
	if err != nil {
		return err
	}
	if err := checkSize(h.Width, h.Height, len(file)); err != nil {
		return err
	}
	dst.Reshape(h.Height, h.Width, c)
	return f.decode(images, file, &raster.Canvas{Pix: dst.Pix, W: h.Width, H: h.Height, C: c})
}

func pillowReads(images *decoder, file []byte, w, h int, rgb, grey []byte) string {
	for c, want := range map[int][]byte{3: rgb, 1: grey} {
		var got, other Image
		err := decodeInGo(images, file, c, &got)
		if _, otherErr := images.decode(file, c, &other); (err == nil) != (otherErr == nil) || err == nil && !bytes.Equal(got.Pix, other.Pix) {
			return fmt.Sprintf("libjpeg-turbo and the decoder in Go do not agree: %v, %v", otherErr, err)
		}
		if err != nil {
			// Damage can make a few bytes claim millions of pixels. Whether Pillow reaches a PNG's
			// wrong checksum depends on how its zlib reads ahead.
			if text := err.Error(); strings.Contains(text, "far too many for a file") || strings.Contains(text, "zlib: invalid checksum") {
				continue
			}
			return err.Error()
		}
		if got.W != w || got.H != h {
			return fmt.Sprintf("%d×%d pixels, not %d×%d", got.W, got.H, w, h)
		}
		if !bytes.Equal(got.Pix, want) {
			different, most, first := 0, 0, -1
			for i, v := range got.Pix {
				if d := max(int(v)-int(want[i]), int(want[i])-int(v)); d > 0 {
					different++
					most = max(most, d)
					if first < 0 {
						first = i
					}
				}
			}
			at := first / c
			return fmt.Sprintf("%d×%d pixels: %d of %d values of %d channels differ, by up to %d, from (%d, %d) on", w, h, different, len(want), c, most, at%w, at/w)
		}
	}
	return ""
}

// pillowRefuses describes what is wrong if Pillow fails with an error that does not occur here, and
// returns "" if the difference is expected. Files that lack only their last bytes and no pixels are
// read here; so are JPEGs with arithmetic coding that are too long for Pillow.
func pillowRefuses(images *decoder, file []byte, text string) string {
	var got Image
	err := decodeInGo(images, file, 3, &got)
	switch {
	case err != nil:
	case strings.Contains(text, "truncated"), strings.Contains(text, "Truncated"):
	case len(file) > arithmeticLimit && strings.Contains(text, "broken data stream"):
	default:
		return "is read; Pillow says " + strconv.Quote(text)
	}
	return ""
}
