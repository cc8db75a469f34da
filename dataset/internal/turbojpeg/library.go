//go:build (linux || darwin) && (amd64 || arm64) && !static

package turbojpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/ebitengine/purego"
)

// folders are where the system's package managers put libraries. No other folders are searched,
// because a search along LD_LIBRARY_PATH could end in the working directory or in one that other
// users can write to.
var folders = map[string][]string{
	"linux/amd64":  {"/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64", "/usr/lib", "/usr/local/lib"},
	"linux/arm64":  {"/usr/lib/aarch64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib64", "/lib64", "/usr/lib", "/usr/local/lib"},
	"darwin/amd64": {"/usr/local/opt/jpeg-turbo/lib", "/usr/local/lib", "/opt/local/lib"},
	"darwin/arm64": {"/opt/homebrew/opt/jpeg-turbo/lib", "/opt/homebrew/lib", "/opt/local/lib"},
}

// names are the names of the library, for its two versions of the interface. libjpeg.so.9 is
// another project's.
var names = map[string][]string{
	"linux":  {"libjpeg.so.62", "libjpeg.so.8"},
	"darwin": {"libjpeg.8.dylib", "libjpeg.62.dylib"},
}

// functions are the addresses of the library's functions.
type functions struct {
	stdError, create, destroy, source, readHeader, start, crop, skip, read uintptr
}

// Library is libjpeg-turbo in this process. It is never unloaded.
type Library struct {
	functions
	path    string
	version uintptr // of the interface, as JPEG_LIB_VERSION
	size    uintptr // of its struct jpeg_decompress_struct
	onError uintptr
	onText  uintptr
}

// Open loads the library that the environment variable [Variable] names, or the first that it finds
// and that passes a test. The error lists the libraries that exist, and why each was rejected.
func Open() (*Library, error) {
	named := os.Getenv(Variable)
	switch {
	case named == off:
		return nil, fmt.Errorf("%s is %s", Variable, off)
	case named != "" && !filepath.IsAbs(named):
		return nil, fmt.Errorf("%s is %q: it must be an absolute path, or %s", Variable, named, off)
	case named != "":
		return load(named)
	}
	var reasons []string
	for _, dir := range folders[runtime.GOOS+"/"+runtime.GOARCH] {
		for _, name := range names[runtime.GOOS] {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			l, err := load(path)
			if err == nil {
				return l, nil
			}
			reasons = append(reasons, err.Error())
		}
	}
	if reasons == nil {
		return nil, fmt.Errorf("no %s in %s", strings.Join(names[runtime.GOOS], " or "), strings.Join(folders[runtime.GOOS+"/"+runtime.GOARCH], ", "))
	}
	return nil, errors.New(strings.Join(reasons, "; "))
}

// callbacks are made once, because a process has room for a limited number.
var callbacks = sync.OnceValue(func() [2]uintptr {
	return [2]uintptr{purego.NewCallback(func(uintptr) { panic(exit{}) }), purego.NewCallback(func(uintptr) {})}
})

// exit is the panic that takes a fatal error past the library's frames, as longjmp does in C. Go's
// runtime lets a panic in a callback unwind them.
type exit struct{}

// load opens a library and tests it.
func load(path string) (*Library, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be loaded: %w", path, err)
	}
	l := &Library{path: path, onError: callbacks()[0], onText: callbacks()[1]}
	for _, f := range []struct {
		name string
		to   *uintptr
	}{
		{"jpeg_skip_scanlines", &l.skip}, {"jpeg_crop_scanline", &l.crop}, {"jpeg_mem_src", &l.source}, {"jpeg_std_error", &l.stdError},
		{"jpeg_CreateDecompress", &l.create}, {"jpeg_destroy_decompress", &l.destroy}, {"jpeg_read_header", &l.readHeader},
		{"jpeg_start_decompress", &l.start}, {"jpeg_read_scanlines", &l.read},
	} {
		if *f.to, err = purego.Dlsym(handle, f.name); err != nil {
			return nil, fmt.Errorf("%s is not libjpeg-turbo's libjpeg, 1.5 or newer: it has no %s", path, f.name)
		}
	}
	if err := l.probe(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := l.test(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

// Name returns the name of the library's file, which identifies its version.
func (l *Library) Name() string { return filepath.Base(l.path) }

// Path returns the path of the library's file.
func (l *Library) Path() string { return l.path }

// test decodes an image and pieces of it.
func (l *Library) test() error {
	const w, h = 83, 70
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = byte(64 + i*i>>5&127)
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, img, nil); err != nil {
		return err
	}
	want, err := jpeg.Decode(bytes.NewReader(file.Bytes()))
	if err != nil {
		return err
	}
	d := l.NewDecoder()
	whole := make([]byte, w*h*3)
	if err := d.Decode(file.Bytes(), 3, whole); err != nil {
		return fmt.Errorf("a test image: %w", err)
	}
	luma := want.(*image.YCbCr)
	for y := range h {
		for x := range w {
			p := whole[(y*w+x)*3:]
			bright := (299*int(p[0]) + 587*int(p[1]) + 114*int(p[2])) / 1000
			if diff := bright - int(luma.Y[y*luma.YStride+x]); (diff < -4 || diff > 4) && min(p[0], p[1], p[2]) > 0 && max(p[0], p[1], p[2]) < 255 {
				return fmt.Errorf("it decodes a test image wrongly: %d too bright at (%d,%d)", diff, x, y)
			}
		}
	}
	for _, r := range []Region{{Y: 17, X: 35, H: 30, W: 20}, {Y: 1, X: 0, H: 2, W: 9}, {Y: 40, X: 80, H: 30, W: 3}} {
		var pix []byte
		var width int
		x, err := d.DecodeRegion(file.Bytes(), Header{w, h, 3}, 3, r, func(h, w int) []byte {
			pix, width = make([]byte, h*w*3), w
			return pix
		})
		if err != nil {
			return fmt.Errorf("a piece of a test image: %w", err)
		}
		for y := range r.H {
			if !bytes.Equal(pix[(y*width+r.X-x)*3:][:r.W*3], whole[((r.Y+y)*w+r.X)*3:][:r.W*3]) {
				return fmt.Errorf("row %d of the piece %+v of a test image is not what the whole image has there: a fault of old versions", y, r)
			}
		}
	}
	return nil
}
