package dataset

import (
	"fmt"
	"sync"

	"github.com/tributary-ml/tributary/dataset/internal/raster"
	"github.com/tributary-ml/tributary/dataset/internal/turbojpeg"
)

// machineJPEG returns the machine's libjpeg-turbo. It searches for it once.
var machineJPEG = sync.OnceValue(func() *turboJPEG {
	lib, err := turbojpeg.Open()
	return &turboJPEG{lib: lib, err: err}
})

// turboJPEG decodes JPEG with libjpeg-turbo.
type turboJPEG struct {
	lib  *turbojpeg.Library
	err  error     // why the library is not available
	free sync.Pool // *turbojpeg.Decoder
}

// JPEGDecoder returns the name of the JPEG decoder on this machine, which runs record, and the path
// of its library or the reason why it is not libjpeg-turbo.
func JPEGDecoder() (name, why string) {
	t := machineJPEG()
	if t.err != nil {
		return "Go", "no libjpeg-turbo: " + t.err.Error()
	}
	return "libjpeg-turbo " + t.lib.Name(), t.lib.Path()
}

// turbo decodes the needed part of a JPEG to dst with libjpeg-turbo, and turns it by the
// orientation turned. If the image is to be turned, h.Memory includes the memory for that and the
// whole image is needed. turbo returns false if the library is missing, does not support the file
// or fails to decode it, or if the whole image, whatever is needed of it, would take too much
// memory. Then the decoder in Go decides what the file is.
func (d *decoder) turbo(data []byte, h raster.Header, c, turned int, ask func(h, w int) need, dst *Image) (p piece, ok bool, err error) {
	t := machineJPEG()
	if t.err != nil {
		return p, false, nil
	}
	header, err := turbojpeg.ReadHeader(data)
	if err != nil || header.Width != h.Width || header.Height != h.Height {
		return p, false, nil
	}
	planes := c
	if header.Components == 3 {
		planes = 3 // grey is computed from colours, as in Pillow
	}
	if !d.memory.fits(h, int64(h.Width)*int64(h.Height)*int64(planes)) {
		return p, false, nil // the decoder in Go needs no memory for colours, so it may have enough
	}
	n := ask(h.Height, h.Width)
	wide := min(h.Width, n.box.w+turbojpeg.MoreColumns) // width of the decoded columns, an upper bound
	free, err := d.memory.takePixels(dst.lease, h, int64(n.box.h)*int64(wide)*int64(planes))
	if err != nil {
		return p, false, fmt.Errorf("JPEG: %w", err)
	}
	defer func() { free(ok) }()
	j, _ := t.free.Get().(*turbojpeg.Decoder)
	if j == nil {
		j = t.lib.NewDecoder()
	}
	defer t.free.Put(j)
	x, err := j.DecodeRegion(data, header, planes, turbojpeg.Region{Y: n.box.y, X: n.box.x, H: n.box.h, W: n.box.w, Shrink: n.shrink}, func(h, w int) []byte {
		dst.Reshape(h, w, planes)
		return dst.Pix
	})
	if err != nil {
		return p, false, nil
	}
	if c < planes {
		lumaOf(dst.Pix, dst.Pix)
		dst.Reshape(dst.H, dst.W, c)
	}
	if turned > 1 {
		turn(dst, turned)
		return all(dst), true, nil
	}
	return piece{y: n.box.y, x: x, h: h.Height, w: h.Width, shrink: n.shrink}, true, nil
}
