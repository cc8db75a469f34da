package interop

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/graph"
	"github.com/tributary-ml/tributary/internal/plainfile"
)

// maxHeader is the reference implementation's limit for the header's length.
const maxHeader = 100_000_000

// Tensor is a named array in row-major order. Data is []float32, []float64 or []int64; its length
// is the product of Shape. A scalar has an empty Shape.
type Tensor struct {
	Name  string
	Shape []int
	Data  any
}

// TensorInfo is a tensor's entry in a file's header.
type TensorInfo struct {
	Name   string
	DType  string // F32, BF16, I64, …
	Shape  []int
	Offset int64 // of its first byte in the file
	Bytes  int64
}

// FileError is an error in a file. It says where the fault is, what it is, and what to do.
type FileError struct {
	File   string
	Tensor string // empty if the error is not in a tensor
	Offset int64  // byte in the file
	Err    error
	Remedy string
}

func (e *FileError) Error() string {
	s := "safetensors file " + e.File + ": "
	if e.Tensor != "" {
		s += fmt.Sprintf("tensor %q: ", e.Tensor)
	}
	s += fmt.Sprintf("at byte %d: %v", e.Offset, e.Err)
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Unwrap returns the underlying error.
func (e *FileError) Unwrap() error { return e.Err }

const (
	remedyCut    = "the file is cut off: copy or download it again"
	remedyFormat = "is it a safetensors file? Convert .pth files with safetensors.torch.save_file"
)

// File is an open safetensors file with a verified header. Tensors are read on demand, so a file
// may be larger than memory. A File is safe for concurrent use.
//
// The reader is stricter than the reference implementation in one point: a name must not occur
// twice. (The Go library nlpodyssey/safetensors was considered. It holds the whole file in memory,
// and its errors contain neither file nor offset.)
type File struct {
	Path     string
	Metadata map[string]string
	tensors  []TensorInfo // by offset
	byName   map[string]int
	prefix   string // prefix of all names that Unwrap has stripped
	r        io.ReaderAt
	c        io.Closer
}

// Open opens a file and verifies its header. Errors are of type *FileError or *fs.PathError.
func Open(path string) (*File, error) {
	f, err := plainfile.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	var out *File
	if err == nil {
		out, err = Read(path, f, st.Size())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	out.c = f
	return out, nil
}

// Read verifies the header of a file of the given size and returns the file, which reads from r.
// path is its name in messages.
func Read(path string, r io.ReaderAt, size int64) (*File, error) {
	fail := func(at int64, remedy, format string, args ...any) (*File, error) {
		return nil, &FileError{File: path, Offset: at, Err: fmt.Errorf(format, args...), Remedy: remedy}
	}
	var first [8]byte
	if size < 8 {
		return fail(0, remedyCut, "%d bytes: a file begins with 8 bytes of header length", size)
	}
	if err := readAt(r, first[:], 0); err != nil {
		return fail(0, "", "read: %w", err)
	}
	n := binary.LittleEndian.Uint64(first[:])
	switch {
	case n > maxHeader:
		return fail(0, remedyFormat, "header length %d is above %d", n, int64(maxHeader))
	case int64(n) > size-8:
		return fail(0, remedyCut, "header of %d bytes in a file of %d", n, size)
	}
	header := make([]byte, n)
	if err := readAt(r, header, 8); err != nil {
		return fail(8, "", "read: %w", err)
	}
	f := &File{Path: path, r: r, byName: map[string]int{}}
	if err := f.parse(header); err != nil {
		return nil, err
	}
	return f, f.check(8+int64(n), size)
}

// entry is the JSON of a tensor. Pointers and slices show what is missing.
type entry struct {
	DType   *string  `json:"dtype"`
	Shape   []uint64 `json:"shape"`
	Offsets []uint64 `json:"data_offsets"`
}

// parse reads the header. Offsets stay relative to the data until check.
func (f *File) parse(header []byte) error {
	dec := json.NewDecoder(bytes.NewReader(header))
	dec.DisallowUnknownFields()
	fail := func(name string, err error) error {
		return &FileError{File: f.Path, Tensor: name, Offset: 8 + dec.InputOffset(), Err: fmt.Errorf("header: %w", err), Remedy: remedyFormat}
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fail("", errors.New("no JSON object"))
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return fail("", err)
		}
		name := key.(string) // keys of JSON objects are always strings
		if name == "__metadata__" {
			if err := dec.Decode(&f.Metadata); err != nil {
				return fail(name, err)
			}
			continue
		}
		var e entry
		if err := dec.Decode(&e); err != nil {
			return fail(name, err)
		}
		info, err := e.info(name)
		if err != nil {
			return fail(name, err)
		}
		if _, twice := f.byName[name]; twice {
			return fail(name, errors.New("occurs twice"))
		}
		f.byName[name] = -1
		f.tensors = append(f.tensors, info)
	}
	if _, err := dec.Token(); err != nil {
		return fail("", err)
	}
	if rest := strings.TrimSpace(string(header[dec.InputOffset():])); rest != "" {
		return fail("", errors.New("something follows the JSON object"))
	}
	return nil
}

func (e entry) info(name string) (TensorInfo, error) {
	if e.DType == nil || e.Shape == nil || len(e.Offsets) != 2 {
		return TensorInfo{}, errors.New("needs dtype, shape and two data_offsets")
	}
	d, ok := lookupDType(*e.DType)
	if !ok {
		return TensorInfo{}, fmt.Errorf("unknown dtype %q", *e.DType)
	}
	size, shape := uint64(d.size), make([]int, len(e.Shape))
	for i, s := range e.Shape {
		hi, lo := bits.Mul64(size, s)
		if hi != 0 || lo > 1<<62 || s > 1<<62 {
			return TensorInfo{}, fmt.Errorf("shape %v is too large", e.Shape)
		}
		size, shape[i] = lo, int(s)
	}
	if from, to := e.Offsets[0], e.Offsets[1]; to < from || to-from != size || to > 1<<62 {
		return TensorInfo{}, fmt.Errorf("data_offsets %v for %d bytes of %s%v", e.Offsets, size, d.name, e.Shape)
	}
	return TensorInfo{name, d.name, shape, int64(e.Offsets[0]), int64(size)}, nil
}

// check verifies that the tensors fill the file from byte base on, without gaps and overlaps.
func (f *File) check(base, size int64) error {
	slices.SortStableFunc(f.tensors, func(a, b TensorInfo) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Bytes, b.Bytes))
	})
	at := int64(0)
	for i := range f.tensors {
		t := &f.tensors[i]
		if t.Offset != at {
			return &FileError{f.Path, t.Name, base + t.Offset, fmt.Errorf("begins at %d, the tensor before it ends at %d", t.Offset, at), "write the file again: its tensors overlap or leave holes"}
		}
		at += t.Bytes
		t.Offset += base
		f.byName[t.Name] = i
		if t.Offset+t.Bytes > size {
			return &FileError{f.Path, t.Name, t.Offset, fmt.Errorf("needs %d bytes, the file ends after %d", t.Bytes, size-t.Offset), remedyCut}
		}
	}
	if base+at != size {
		return &FileError{File: f.Path, Offset: base + at, Err: fmt.Errorf("%d bytes after the last tensor", size-base-at), Remedy: "write the file again"}
	}
	return nil
}

func readAt(r io.ReaderAt, b []byte, at int64) error {
	_, err := io.ReadFull(io.NewSectionReader(r, at, int64(len(b))), b)
	return err
}

// Close closes the file.
func (f *File) Close() error {
	if f.c == nil {
		return nil
	}
	return f.c.Close()
}

// Tensors returns the file's tensors in the order of their offsets.
func (f *File) Tensors() []TensorInfo { return slices.Clone(f.tensors) }

// Names returns the tensors' names in the order of their offsets.
func (f *File) Names() []string {
	names := make([]string, len(f.tensors))
	for i, t := range f.tensors {
		names[i] = t.Name
	}
	return names
}

// Info returns a tensor's entry in the header. The error for an unknown name is a
// *graph.UnknownError.
func (f *File) Info(name string) (TensorInfo, error) {
	i, ok := f.byName[name]
	if !ok {
		return TensorInfo{}, &graph.UnknownError{What: "tensor of " + f.Path, Name: name, Nearest: graph.Nearest(name, f.Names(), 3)}
	}
	return f.tensors[i], nil
}

// Tensor reads a tensor. F64 gives []float64; F32, F16 and BF16 give []float32; I64, I32 and U8
// give []int64.
func (f *File) Tensor(name string) (Tensor, error) {
	info, err := f.Info(name)
	if err != nil {
		return Tensor{}, err
	}
	d, _ := lookupDType(info.DType)
	fail := func(err error, remedy string) (Tensor, error) {
		return Tensor{}, &FileError{f.Path, f.prefix + name, info.Offset, err, remedy}
	}
	if d.float32 == nil && d.float64 == nil && d.int64 == nil {
		return fail(fmt.Errorf("elements of type %s are not read", d.name), "convert the tensor to F32")
	}
	b := make([]byte, info.Bytes)
	if err := readAt(f.r, b, info.Offset); err != nil {
		return fail(fmt.Errorf("read: %w", err), "")
	}
	t := Tensor{Name: name, Shape: info.Shape}
	switch {
	case d.float32 != nil:
		t.Data = decode(b, d.size, d.float32)
	case d.float64 != nil:
		t.Data = decode(b, d.size, d.float64)
	default:
		t.Data = decode(b, d.size, d.int64)
	}
	return t, nil
}

func decode[T any](b []byte, size int, f func([]byte) T) []T {
	out := make([]T, len(b)/size)
	for i := range out {
		out[i] = f(b[i*size:])
	}
	return out
}
