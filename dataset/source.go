package dataset

import (
	"fmt"
	"slices"
)

// Image is a picture of H rows and W columns with C interleaved channels of eight bits: 1 (grey) or
// 3 (red, green, blue; sRGB as decoded).
type Image struct {
	Pix     []byte // (H, W, C), len H·W·C
	H, W, C int

	lease *lease // of the memory for Pix, if the user releases it
}

// Reshape gives m the shape h×w×c. It keeps the memory of Pix if that is large enough. The pixels
// are undefined afterwards.
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

	// H and W are the size of every image, or 0 if the size varies.
	H, W int

	// Mean and Std are the mean and standard deviation of each channel over the training images, in
	// units of [0, 1] (a byte divided by 255). Class folders have ImageNet's.
	Mean, Std []float32

	// Files is a sum over the names and labels of a source's image files. A resumed run compares it
	// to notice other files. It is empty for sets in memory.
	Files string

	// Mirror says that an image flipped left to right keeps its class. It is false only for digits.
	Mirror bool
}

// Source is a set of labelled images with random access. Its methods may be
// called from several goroutines at once.
type Source interface {
	// Info returns a description of the images. The caller must not change its slices.
	Info() Info

	// Len returns the number of images.
	Len() int

	// Decode writes image i, 0 ≤ i < Len, to dst, which it reshapes, and returns the image's label,
	// 0 ≤ label < len(Info().Classes). If the image cannot be read or decoded, the error is a
	// [*FileError] that names its file, and dst is undefined.
	Decode(i int, dst *Image) (label int32, err error)
}

// Set is the two parts of a data set.
type Set struct {
	Train, Test Source // Train is nil in sets from OpenTest

	// Notes say how folders and archives were understood and what in them is left out, one line
	// each.
	Notes []string

	// Cache is the maximum number of bytes of decoded images that stay in memory until Close; 0 if
	// none do, or if the whole set is in memory anyway.
	Cache int64

	// JPEG is the name of the JPEG decoder ([JPEGDecoder]) in a set of folders or archives, and
	// empty in other sets.
	JPEG    string
	closers []func()
}

// Close frees the memory of cached images and closes files. The set must not be read any more.
func (s *Set) Close() {
	for _, f := range s.closers {
		f()
	}
}

// counter is a source that knows the number of images of each class.
type counter interface{ counts() []int }

// Counts returns the number of images of each class of a source; nil if counting would need
// decoding.
func Counts(src Source) []int {
	if c, ok := src.(counter); ok {
		return c.counts()
	}
	return nil
}

// count counts labels below n.
func count[T uint8 | int32](labels []T, n int) []int {
	out := make([]int, n)
	for _, l := range labels {
		out[l]++
	}
	return out
}

// memory is a source of decoded images of one size in memory.
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

func (m *memory) counts() []int { return count(m.labels, len(m.info.Classes)) }

// relabelled is a source with the labels of other classes, found by their names.
type relabelled struct {
	Source
	info   Info
	labels []int32 // by the source's own label
}

// withClasses returns src with the labels of classes, which must have all of its own classes. It
// returns src itself if the classes are its own.
func withClasses(src Source, classes []string) (Source, error) {
	info := src.Info()
	if slices.Equal(info.Classes, classes) {
		return src, nil
	}
	r := &relabelled{Source: src, info: info}
	r.info.Classes = classes
	for _, name := range info.Classes {
		i := slices.Index(classes, name)
		if i < 0 {
			return nil, fmt.Errorf("%s has the class %q, which is no class of the network (%s)", info.Name, name, unknownClass(name, classes))
		}
		r.labels = append(r.labels, int32(i))
	}
	return r, nil
}

func (r *relabelled) Info() Info { return r.info }

func (r *relabelled) Decode(i int, dst *Image) (int32, error) {
	label, err := r.Source.Decode(i, dst)
	if err != nil {
		return 0, err
	}
	return r.labels[label], nil
}

func (r *relabelled) counts() []int {
	theirs := Counts(r.Source)
	if theirs == nil {
		return nil
	}
	out := make([]int, len(r.info.Classes))
	for i, n := range theirs {
		out[r.labels[i]] += n
	}
	return out
}
