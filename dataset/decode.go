package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"strings"

	"golang.org/x/image/webp"
)

// Limits on encoded images, so that a small hostile file cannot take much
// memory.
const (
	maxEncoded = 256 << 20 // bytes of a file
	maxPixels  = 1 << 26   // of an image; ImageNet's largest has 61 million

	// An image of more than easyPixels must have at least one byte for each
	// maxDensity pixels: more than deflate can reach with one bit a pixel.
	easyPixels = 1 << 22
	maxDensity = 8 * maxDeflate
)

// format is an encoding that decodeImage reads.
type format struct {
	name   string
	magic  string // first bytes; '?' stands for any
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

// formats are told apart by a file's content: the names of files in real sets
// are often wrong.
var formats = []format{
	{"JPEG", "\xff\xd8", jpeg.DecodeConfig, jpeg.Decode},
	{"PNG", "\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode},
	{"GIF", "GIF8?a", gif.DecodeConfig, gif.Decode}, // its first frame
	{"WebP", "RIFF????WEBP", webp.DecodeConfig, decodeWebP},
}

// extensions of the files that are taken for images, in lower case.
var extensions = []string{".jpg", ".jpeg", ".png", ".gif", ".webp"}

// formatOf finds the format of an encoded image.
func formatOf(data []byte) (format, bool) {
next:
	for _, f := range formats {
		if len(data) < len(f.magic) {
			continue
		}
		for i := range len(f.magic) {
			if f.magic[i] != '?' && f.magic[i] != data[i] {
				continue next
			}
		}
		return f, true
	}
	return format{}, false
}

// decodeImage decodes data to dst with c channels. Orientation tags, colour
// profiles and transparency are passed over, as by torchvision's default loader.
// The offset is how far into data the decoder had read when it failed.
func decodeImage(data []byte, c int, dst *Image) (offset int64, err error) {
	if len(data) == 0 {
		return 0, errors.New("the file is empty")
	}
	f, ok := formatOf(data)
	if !ok {
		return 0, fmt.Errorf("starts with % x: not a %s", data[:min(8, len(data))], formatNames())
	}
	r := bytes.NewReader(data)
	defer func() {
		// Decoders are not all ours, and their input is not trusted.
		if p := recover(); p != nil {
			offset, err = r.Size()-int64(r.Len()), fmt.Errorf("the %s decoder failed: %v", f.name, p)
		}
	}()
	config, err := f.config(r)
	if err != nil {
		return r.Size() - int64(r.Len()), fmt.Errorf("damaged %s header: %w", f.name, err)
	}
	if err := checkSize(config.Width, config.Height, len(data)); err != nil {
		return 0, fmt.Errorf("%s: %w", f.name, err)
	}
	r.Reset(data)
	img, err := f.decode(r)
	if err != nil {
		return r.Size() - int64(r.Len()), fmt.Errorf("damaged %s: %w", f.name, err)
	}
	if b := img.Bounds(); b.Dx() <= 0 || b.Dy() <= 0 || b.Dx() > config.Width || b.Dy() > config.Height {
		return 0, fmt.Errorf("%s: an image of %v in a file of %d×%d pixels", f.name, b, config.Width, config.Height)
	}
	setPixels(dst, img, c)
	return 0, nil
}

// checkSize refuses dimensions that no photograph has or that n bytes cannot
// encode.
func checkSize(w, h, n int) error {
	switch {
	case w <= 0 || h <= 0:
		return fmt.Errorf("its header says %d×%d pixels", w, h)
	case w > maxPixels/h:
		return fmt.Errorf("its header says %d×%d pixels: at most %d are decoded", w, h, maxPixels)
	case w*h > easyPixels && w*h/maxDensity > n:
		return fmt.Errorf("its header says %d×%d pixels, far too many for a file of %d bytes", w, h, n)
	}
	return nil
}

// formatNames lists the formats for messages.
func formatNames() string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// decodeWebP decodes WebP. VP8 stores ITU-R BT.601's studio range, luma in
// 16–235, chroma in 16–240, but x/image's decoder labels it as JPEG's full
// range: the planes are stretched to that.
func decodeWebP(r io.Reader) (image.Image, error) {
	img, err := webp.Decode(r)
	if err != nil {
		return nil, err
	}
	var ycc *image.YCbCr
	switch img := img.(type) {
	case *image.YCbCr:
		ycc = img
	case *image.NYCbCrA:
		ycc = &img.YCbCr
	default:
		return img, nil
	}
	stretch(ycc.Y, 16, 219, 0)
	stretch(ycc.Cb, 128, 224, 128)
	stretch(ycc.Cr, 128, 224, 128)
	return ycc, nil
}

// stretch maps zero to newZero and a distance of span to one of 255, clamped.
func stretch(plane []byte, zero, span, newZero float64) {
	var table [256]byte
	for v := range table {
		x := newZero + (float64(v)-zero)*255/span
		table[v] = uint8(min(max(math.Round(x), 0), 255))
	}
	for i, v := range plane {
		plane[i] = table[v]
	}
}
