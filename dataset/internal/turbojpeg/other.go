//go:build !((linux || darwin) && (amd64 || arm64)) || static

package turbojpeg

import "errors"

// Library stands for libjpeg-turbo, which this program cannot load.
type Library struct{}

// Decoder is a decoder of a Library.
type Decoder struct{}

// errNone says why there is no library.
var errNone = errors.New("no libraries are loaded: this program is for another machine, or linked statically")

// Open returns an error.
func Open() (*Library, error) { return nil, errNone }

// Name returns the empty name.
func (*Library) Name() string { return "" }

// Path returns the empty path.
func (*Library) Path() string { return "" }

// NewDecoder returns a decoder whose methods fail.
func (*Library) NewDecoder() *Decoder { return &Decoder{} }

// Decode returns an error.
func (*Decoder) Decode([]byte, int, []byte) error { return errNone }

// DecodeRegion returns an error.
func (*Decoder) DecodeRegion([]byte, Header, int, Region, func(int, int) []byte) (int, error) {
	return 0, errNone
}
