package dataset

import "slices"

// Image is a picture of H rows and W columns of C interleaved channels of eight
// bits: 1 (grey) or 3 (red, green, blue; sRGB as decoded).
type Image struct {
	Pix     []byte // (H, W, C), len H·W·C
	H, W, C int

	lease *lease // of the memory for Pix, where its user returns that
}

// Reshape gives m the shape h×w×c and keeps the memory of Pix where it is large
// enough. The pixels are undefined afterwards.
func (m *Image) Reshape(h, w, c int) {
	n := h * w * c
	m.Pix = slices.Grow(m.Pix[:0], n)[:n]
	m.H, m.W, m.C = h, w, c
}

// Info describes the images of a source.
type Info struct {
	Name    string   // for messages, such as "cifar10 train"
	Classes []string // the name of each label
	C       int      // channels of every image: 1 or 3

	// H and W are the size of every image, or 0 where it varies.
	H, W int

	// Mean and Std are the C channels' mean and standard deviation over the
	// training images, in units of [0, 1] (a byte divided by 255). Class folders
	// have ImageNet's.
	Mean, Std []float32

	// Mirror says that an image flipped left to right keeps its class: true but
	// for digits.
	Mirror bool
}

// Source is a set of labelled images with random access. Its methods may be
// called from several goroutines at once.
type Source interface {
	// Info describes the images. The caller must not change its slices.
	Info() Info

	// Len is the number of images.
	Len() int

	// Decode writes image i, 0 ≤ i < Len, to dst, which it reshapes, and returns
	// its label: 0 ≤ label < len(Info().Classes). Where the image cannot be read
	// or decoded, the error is a [*FileError] that names its file, and dst is
	// undefined.
	Decode(i int, dst *Image) (label int32, err error)
}

// Set is the two parts of a data set.
type Set struct {
	Train, Test Source

	// Cache is how many bytes of decoded images may stay in memory until Close; 0
	// where none do, or the whole set is in memory anyway.
	Cache   int64
	closers []func()
}

// Close frees the memory of images that were kept, and closes files. Nobody
// reads the set any more.
func (s *Set) Close() {
	for _, f := range s.closers {
		f()
	}
}

// memory is a source whose images have one size and lie decoded in memory.
type memory struct {
	info   Info
	pix    []byte  // (len(labels), H, W, C)
	labels []uint8 // each below len(info.Classes)
}

func (m *memory) Info() Info { return m.info }

func (m *memory) Len() int { return len(m.labels) }

func (m *memory) Decode(i int, dst *Image) (int32, error) {
	dst.Reshape(m.info.H, m.info.W, m.info.C)
	n := len(dst.Pix)
	copy(dst.Pix, m.pix[i*n:(i+1)*n])
	return int32(m.labels[i]), nil
}
