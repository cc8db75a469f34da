package dataset

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/tributary-ml/tributary/dataset/internal/jpeg"
	"github.com/tributary-ml/tributary/dataset/internal/raster"
)

// Limits on encoded images, so that a small hostile file cannot take much time. The set's budget
// limits their memory.
const (
	maxEncoded = 256 << 20 // bytes of a file
	maxPixels  = 1 << 40   // of an image, so that sizes do not overflow

	// An image of more than easyPixels pixels must have at least one byte for each maxDensity
	// pixels. That is more than deflate can reach with one bit a pixel.
	easyPixels = 1 << 22
	maxDensity = 8 * maxDeflate
)

// format is an encoding of images.
type format struct {
	name   string
	magic  []string // the possible first bytes; '?' stands for any byte
	header func(data []byte) (raster.Header, error)
	decode func(d *decoder, data []byte, dst *raster.Canvas) error
}

// formats are recognised by a file's content, because the names of files in real sets are often
// wrong.
var formats = []format{
	{"JPEG", []string{"\xff\xd8"}, jpegHeader, (*decoder).jpeg},
	{"PNG", []string{"\x89PNG\r\n\x1a\n"}, raster.ReadPNGHeader, stateless(raster.DecodePNG)},
	{"GIF", []string{"GIF8?a"}, raster.ReadGIFHeader, stateless(raster.DecodeGIF)},
	{"WebP", []string{"RIFF????WEBP"}, raster.ReadWebPHeader, stateless(raster.DecodeWebP)},
	{"BMP", []string{"BM"}, raster.ReadBMPHeader, stateless(raster.DecodeBMP)},
	{"TIFF", []string{"II*\x00", "MM\x00*"}, raster.ReadTIFFHeader, stateless(raster.DecodeTIFF)},
	{"PNM", []string{"P1", "P2", "P3", "P4", "P5", "P6"}, raster.ReadPNMHeader, stateless(raster.DecodePNM)},
}

// extensions are the endings of the files that are taken for images, in lower case: those of
// torchvision's ImageFolder, and .gif, .pbm and .pnm.
var extensions = []string{".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif", ".pbm", ".pnm"}

// unread are formats that are recognised by their first bytes but not supported.
var unread = []format{
	{name: "AVIF", magic: []string{"????ftypavif", "????ftypavis"}},
	{name: "HEIF", magic: []string{"????ftyphei?", "????ftyphev?", "????ftypmif1", "????ftypmsf1"}},
	{name: "JPEG XL", magic: []string{"\xff\x0a", "\x00\x00\x00\x0cJXL "}},
	{name: "JPEG 2000", magic: []string{"\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51"}},
	{name: "BigTIFF", magic: []string{"II+\x00", "MM\x00+"}},
}

// formatOf finds the format of an encoded image in a list.
func formatOf(list []format, data []byte) (format, bool) {
	for _, f := range list {
		for _, magic := range f.magic {
			if begins(data, magic) {
				return f, true
			}
		}
	}
	return format{}, false
}

// begins reports whether data begins with magic, in which '?' stands for any byte.
func begins(data []byte, magic string) bool {
	if len(data) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != data[i] {
			return false
		}
	}
	return true
}

// decoder decodes images of all formats. Several goroutines may use it at once; together they take
// no more memory than its budget.
type decoder struct {
	memory *budget   // nil: no limit
	orient bool      // turn images as their EXIF says
	jpegs  sync.Pool // *jpeg.Decoder
}

// decodePiece decodes data to dst with c channels. It leaves out the parts of the image that ask
// does not need, if that saves time. Images are turned by their orientation only if d.orient is
// set, except TIFF images, whose decoder turns them. Colour profiles and transparency are always
// ignored, as in torchvision's default loader. offset is the position of the fault in data.
func (d *decoder) decodePiece(data []byte, c int, ask func(h, w int) need, dst *Image) (p piece, offset int64, err error) {
	dst.lease.release()
	if len(data) == 0 {
		return p, 0, errors.New("the file is empty")
	}
	f, ok := formatOf(formats, data)
	if !ok {
		if f, ok := formatOf(unread, data); ok {
			return p, 0, fmt.Errorf("is a file of the format %s, which is not read: convert it to a %s", f.name, formatNames())
		}
		return p, 0, fmt.Errorf("starts with % x: not a %s", data[:min(8, len(data))], formatNames())
	}
	defer func() {
		// Some decoders are other people's, and their input is not trusted.
		if p := recover(); p != nil {
			offset, err = 0, fmt.Errorf("the %s decoder failed: %v", f.name, p)
		}
	}()
	h, err := f.header(data)
	if err != nil {
		return p, position(err), fmt.Errorf("damaged %s header: %w", f.name, err)
	}
	if err := checkSize(h.Width, h.Height, len(data)); err != nil {
		return p, 0, fmt.Errorf("%s: %w", f.name, err)
	}
	pixels := int64(h.Width) * int64(h.Height) * int64(c)
	turned := 1
	if d.orient && !isTIFF(data) {
		if turned = orientation(data); turned > 1 {
			h.Memory += pixels
			ask = everything
		}
	}
	if f.name == "JPEG" {
		if p, ok, err := d.turbo(data, h, c, turned, ask, dst); ok || err != nil {
			return p, 0, err
		}
	}
	free, err := d.memory.takePixels(dst.lease, h, pixels)
	if err != nil {
		return p, 0, fmt.Errorf("%s: %w", f.name, err)
	}
	defer func() { free(err == nil) }()
	dst.Reshape(h.Height, h.Width, c)
	if err := f.decode(d, data, &raster.Canvas{Pix: dst.Pix, W: h.Width, H: h.Height, C: c}); err != nil {
		return p, position(err), fmt.Errorf("damaged %s: %w", f.name, err)
	}
	turn(dst, turned)
	return all(dst), 0, nil
}

// position returns the index of the byte that a decoder's error is about.
func position(err error) int64 {
	var at interface{ Position() int }
	if errors.As(err, &at) {
		return int64(at.Position())
	}
	return 0
}

// stateless adapts the decode function of a format whose decoder keeps no memory.
func stateless(decode func(data []byte, dst *raster.Canvas) error) func(*decoder, []byte, *raster.Canvas) error {
	return func(_ *decoder, data []byte, dst *raster.Canvas) error { return decode(data, dst) }
}

func jpegHeader(data []byte) (raster.Header, error) {
	h, err := jpeg.ReadHeader(data)
	return raster.Header{Width: h.Width, Height: h.Height, Memory: h.Memory()}, err
}

func (d *decoder) jpeg(data []byte, dst *raster.Canvas) error {
	j, _ := d.jpegs.Get().(*jpeg.Decoder)
	if j == nil {
		j = new(jpeg.Decoder)
	}
	defer d.jpegs.Put(j)
	return j.Decode(data, dst.C, dst.Pix)
}

// checkSize returns an error for dimensions that no photograph has, or that n bytes cannot encode.
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

// formatNames returns the names of the formats for messages.
func formatNames() string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
