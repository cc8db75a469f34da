package dataset

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Limits that no real set reaches, so that a damaged header does not allocate memory.
const (
	maxSetBytes  = 4 << 30 // of one file, decompressed
	maxImageSide = 4096    // of an image in an IDX file
	maxDeflate   = 1032    // maximum number of bytes that deflate makes of one
)

// idxUint8 is the third byte of an IDX file's magic number, for unsigned bytes. The number of
// dimensions follows it.
const idxUint8 = 0x08

// readIDX reads an IDX file (LeCun's format for MNIST) of unsigned bytes in len(dims) dimensions,
// gzipped or not:
//
//	bytes 0–3     0, 0, 8 (unsigned bytes), number of dimensions
//	then each     uint32, big-endian: a dimension
//	then          the product of the dimensions in bytes, row-major
//
// size is the length of the stored file. The memory is bounded by the file's real content, whatever
// its header claims.
func readIDX(r io.Reader, file string, size int64, dims []int) ([]byte, error) {
	in := &offsetReader{r: bufio.NewReader(r)}
	fail := func(offset int64, err error) error {
		return &FileError{File: file, Offset: offset, Record: -1, Err: err, Remedy: makeData}
	}
	most := size
	if start, _ := in.r.Peek(2); len(start) == 2 && start[0] == 0x1f && start[1] == 0x8b {
		zr, err := gzip.NewReader(in.r)
		if err != nil {
			return nil, fail(0, fmt.Errorf("damaged gzip header: %w", err))
		}
		most = size * maxDeflate
		in.r = bufio.NewReader(zr)
	}

	header := make([]byte, 4+4*len(dims))
	if n, err := io.ReadFull(in, header); err != nil {
		return nil, fail(in.n, fmt.Errorf("the file ends within its header of %d bytes after %d: %w", len(header), n, err))
	}
	if want := []byte{0, 0, idxUint8, byte(len(dims))}; string(header[:4]) != string(want) {
		return nil, fail(0, fmt.Errorf("magic number % x is not % x (IDX, unsigned bytes, %d dimensions)", header[:4], want, len(dims)))
	}
	total := int64(1)
	for i := range dims {
		at := 4 + 4*i
		v := int64(binary.BigEndian.Uint32(header[at:]))
		if v == 0 {
			return nil, fail(int64(at), fmt.Errorf("dimension %d is 0: the file holds no images", i))
		}
		if i > 0 && v > maxImageSide {
			return nil, fail(int64(at), fmt.Errorf("images of %d pixels in dimension %d: at most %d are believed", v, i, maxImageSide))
		}
		total *= v
		if total > maxSetBytes || total > most {
			return nil, fail(int64(at), fmt.Errorf("the header announces %d bytes or more, the file of %d bytes cannot hold them: damaged or truncated: %w", total, size, io.ErrUnexpectedEOF))
		}
		dims[i] = int(v)
	}

	data, err := readGrowing(in, int(total))
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("truncated: %d of %d bytes: %w", len(data), total, err)
		}
		e := &FileError{File: file, Offset: in.n, Record: -1, Err: err, Remedy: makeData}
		if record := int(total) / dims[0]; record > 0 {
			e.Record = len(data) / record
		}
		return nil, e
	}
	// Reading to the end also makes gzip verify its checksum.
	switch _, err := in.r.ReadByte(); {
	case err == nil:
		return nil, fail(in.n, fmt.Errorf("more data than the %d bytes that the header announces", total))
	case err != io.EOF:
		return nil, fail(in.n, err)
	}
	return data, nil
}

// readGrowing reads n bytes into memory that grows with the data that arrives, because n is not
// trusted. At an early end it returns what it has read and io.ErrUnexpectedEOF.
func readGrowing(r io.Reader, n int) ([]byte, error) {
	data := make([]byte, 0, min(n, 1<<20))
	for len(data) < n {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(n, 4*cap(data))), data...)
		}
		m, err := r.Read(data[len(data):min(n, cap(data))])
		data = data[:len(data)+m]
		if err != nil && len(data) < n {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return data, err
		}
	}
	return data, nil
}

// offsetReader counts the bytes read from r.
type offsetReader struct {
	r *bufio.Reader
	n int64
}

func (o *offsetReader) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	o.n += int64(n)
	return n, err
}
