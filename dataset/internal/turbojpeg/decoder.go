//go:build (linux || darwin) && (amd64 || arm64) && !static

package turbojpeg

//go:generate go run -C ../../../tools/avo ./readrows -out ../../dataset/internal/turbojpeg/rows_amd64.s -stubs ../../dataset/internal/turbojpeg/rows_amd64.go -pkg turbojpeg

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"structs"
	"unsafe"

	"github.com/ebitengine/purego"
)

// decompress is the part of libjpeg's struct jpeg_decompress_struct that is the same in all
// versions of the interface from 6.2 to 8.0, followed by room for the rest.
type decompress struct {
	_ structs.HostLayout

	err, mem, progress, clientData uintptr
	isDecompressor, globalState    int32
	src                            uintptr

	imageWidth, imageHeight       uint32
	numComponents, jpegColorSpace int32

	outColorSpace             int32
	scaleNum, scaleDenom      uint32
	outputGamma               float64
	bufferedImage, rawDataOut int32

	dctMethod                                               int32
	doFancyUpsampling, doBlockSmoothing                     int32
	quantizeColors, ditherMode, twoPassQuantize             int32
	desiredNumberOfColors                                   int32
	enable1PassQuant, enableExternalQuant, enable2PassQuant int32

	outputWidth, outputHeight            uint32
	outColorComponents, outputComponents int32
	recOutbufHeight, actualColors        int32
	colormap                             uintptr
	outputScanline                       uint32

	_ [roomForRest]byte
}

// roomForRest is larger than the rest of any version.
const roomForRest = 1024

// errorManager is libjpeg's struct jpeg_error_mgr.
type errorManager struct {
	_ structs.HostLayout

	errorExit, emitMessage, outputMessage, formatMessage, resetErrorMgr uintptr

	msgCode int32
	msgParm [80 / 4]int32

	traceLevel                          int32
	numWarnings                         int64
	messageTable                        uintptr
	lastMessage                         int32
	addonMessageTable                   uintptr
	firstAddonMessage, lastAddonMessage int32
}

// Values of the library's constants.
const (
	spaceGrey, spaceRGB, spaceYCbCr = 1, 2, 3 // J_COLOR_SPACE
	headerOK                        = 1       // of jpeg_read_header
	messageLength                   = 200     // JMSG_LENGTH_MAX
)

// Decoder decodes one image after another, on one goroutine. Between images it keeps no object of
// the library, because that would use an image's tables for the next one.
type Decoder struct{ s *state }

// state is the memory that the library has pointers to while it decodes.
type state struct {
	lib  *Library
	info decompress
	err  errorManager
	crop [2]uint32 // x and width
	rows []uintptr // addresses of the rows to write
	call rowsCall
}

// rowsCall has the arguments of jpeg_read_scanlines. The library returns only a few rows for each
// call.
type rowsCall struct {
	_                            structs.HostLayout
	function, object, rows, left uintptr
}

// NewDecoder returns a decoder.
func (l *Library) NewDecoder() *Decoder { return &Decoder{&state{lib: l}} }

// create creates the library's object.
func (s *state) create(version, size uintptr) error {
	s.info = decompress{}
	s.info.err = address(&s.err)
	purego.SyscallN(s.lib.stdError, s.info.err)
	s.err.errorExit, s.err.outputMessage = s.lib.onError, s.lib.onText
	return s.protected(s.lib.create, address(&s.info), version, size)
}

// destroy frees the library's object. It does not fail.
func (s *state) destroy() { purego.SyscallN(s.lib.destroy, address(&s.info)) }

func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// protect calls f and returns its error, or the library's fatal error if the library ends the call
// with one.
func (s *state) protect(f func() error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if _, ours := p.(exit); !ours {
			panic(p)
		}
		text := make([]byte, messageLength)
		purego.SyscallN(s.err.formatMessage, address(&s.info), address(&text[0]))
		runtime.KeepAlive(text)
		length := bytes.IndexByte(text, 0)
		err = fmt.Errorf("libjpeg-turbo: %s", text[:max(length, 0)])
	}()
	return f()
}

// protected calls a library function without a result.
func (s *state) protected(function uintptr, args ...uintptr) error {
	return s.protect(func() error {
		purego.SyscallN(function, args...)
		return nil
	})
}

// probe finds out the version of the library's interface. The library names its version in the
// error for another one.
func (l *Library) probe() error {
	l.version, l.size = 62, unsafe.Sizeof(decompress{})
	d := l.NewDecoder()
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(d.s)
	for range 3 {
		err := d.s.create(l.version, l.size)
		if err == nil {
			d.s.destroy()
			return nil
		}
		have, given := uintptr(d.s.err.msgParm[0]), uintptr(d.s.err.msgParm[1])
		switch {
		case given == l.version && (have == 70 || have == 80):
			l.version = have
		case given == l.size && have > unsafe.Offsetof(decompress{}.outputScanline) && have < l.size:
			l.size = have
		default:
			return fmt.Errorf("its interface is none that is known (62, 70, 80): %w", err)
		}
	}
	return fmt.Errorf("its interface is none that is known (62, 70, 80)")
}

// Decode decodes a whole image to dst, of shape (height, width, channels). With one channel the
// image must be grey; with three it may be grey or colour.
func (d *Decoder) Decode(data []byte, channels int, dst []byte) error {
	h, err := ReadHeader(data)
	if err != nil {
		return err
	}
	if want := h.Width * h.Height * channels; len(dst) != want {
		return fmt.Errorf("libjpeg-turbo: %d bytes for %d×%d pixels of %d channels", len(dst), h.Width, h.Height, channels)
	}
	_, err = d.DecodeRegion(data, h, channels, Region{H: h.Height, W: h.Width}, func(int, int) []byte { return dst })
	return err
}

// DecodeRegion decodes at least a region of a file with the header h. It calls room once, with a
// size in pixels, to get memory for the region's rows with some more columns. It returns the
// image's column x at which these rows begin.
func (d *Decoder) DecodeRegion(data []byte, h Header, channels int, r Region, room func(h, w int) []byte) (x int, err error) {
	s := d.s
	shrink := max(r.Shrink, 1)
	width, height := (h.Width+shrink-1)/shrink, (h.Height+shrink-1)/shrink
	if r.Y < 0 || r.X < 0 || r.H < 1 || r.W < 1 || r.Y > height-r.H || r.X > width-r.W {
		return 0, fmt.Errorf("libjpeg-turbo: no region %+v in %d×%d pixels", r, width, height)
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(s)
	pin.Pin(&data[0])
	if err := s.create(s.lib.version, s.lib.size); err != nil {
		return 0, err
	}
	defer s.destroy()
	info := address(&s.info)
	err = s.protect(func() error {
		purego.SyscallN(s.lib.source, info, address(&data[0]), uintptr(len(data)))
		status, _, _ := purego.SyscallN(s.lib.readHeader, info, 1)
		if int32(status) != headerOK || int(s.info.imageWidth) != h.Width || int(s.info.imageHeight) != h.Height {
			return refuse("the library reads its header otherwise")
		}
		if err := s.setUp(channels, shrink); err != nil {
			return err
		}
		purego.SyscallN(s.lib.start, info)
		if int(s.info.outputWidth) != width || int(s.info.outputHeight) != height || int(s.info.outputComponents) != channels {
			return refuse("it comes out as %d×%d×%d", s.info.outputHeight, s.info.outputWidth, s.info.outputComponents)
		}
		left, right := max(0, r.X-margin), min(width, r.X+r.W+margin)
		if left > 0 || right < width {
			s.crop = [2]uint32{uint32(left), uint32(right - left)}
			purego.SyscallN(s.lib.crop, info, address(&s.crop[0]), address(&s.crop[1]))
			left, right = int(s.crop[0]), int(s.crop[0]+s.crop[1])
		}
		if r.Y > 0 {
			purego.SyscallN(s.lib.skip, info, uintptr(r.Y))
		}
		x = left
		dst := room(r.H, right-left)
		pin.Pin(&dst[0])
		s.rows = slices.Grow(s.rows[:0], r.H)[:r.H]
		pin.Pin(&s.rows[0])
		for y := range s.rows {
			s.rows[y] = address(&dst[y*(right-left)*channels])
		}
		s.call = rowsCall{function: s.lib.read, object: info, rows: address(&s.rows[0]), left: uintptr(r.H)}
		s.read()
		if got := int(s.info.outputScanline); got != r.Y+r.H {
			return refuse("the library stops at row %d of %d", got, r.Y+r.H)
		}
		return nil
	})
	return x, err
}

// setUp sets how the image is decoded.
func (s *state) setUp(channels, shrink int) error {
	switch space := s.info.jpegColorSpace; {
	case channels == 3 && (space == spaceGrey || space == spaceRGB || space == spaceYCbCr):
		s.info.outColorSpace = spaceRGB
	case channels == 1 && space == spaceGrey:
		s.info.outColorSpace = spaceGrey
	default:
		return refuse("colour space %d to %d channels", space, channels)
	}
	s.info.scaleNum, s.info.scaleDenom = 1, uint32(shrink)
	return nil
}
