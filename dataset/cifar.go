package dataset

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
)

// A CIFAR-10 record is the label and three planes in row-major order: red, green, blue.
const (
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifarRecord = 1 + 3*cifarPlane
)

// cifarBatch is the number of records in each of CIFAR-10's files.
const cifarBatch = 10000

var cifar10Info = Info{
	Classes: []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
	C:       3, H: cifarSide, W: cifarSide,
	Mean: []float32{0.4914, 0.4822, 0.4465}, Std: []float32{0.2470, 0.2435, 0.2616},
	Mirror: true,
}

var (
	cifarTrain = []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"}
	cifarTest  = []string{"test_batch.bin"}
)

func openCIFAR10(ctx context.Context, d folder, _ OpenOptions) (*Set, error) {
	const sub = "cifar-10-batches-bin" // as in the original archive
	if st, err := fs.Stat(d, sub); err == nil && st.IsDir() {
		inner, err := fs.Sub(d, sub)
		if err != nil {
			return nil, err
		}
		d = folder{inner, path.Join(d.name, sub)}
	}
	train, err := loadCIFAR(ctx, d, "cifar10 train", cifarTrain, cifarBatch)
	if err != nil {
		return nil, err
	}
	test, err := loadCIFAR(ctx, d, "cifar10 test", cifarTest, cifarBatch)
	if err != nil {
		return nil, err
	}
	return &Set{Train: train, Test: test}, nil
}

// loadCIFAR reads files with perFile records each.
func loadCIFAR(ctx context.Context, d folder, name string, files []string, perFile int) (*memory, error) {
	m := &memory{info: cifar10Info}
	m.info.Name = name
	n := perFile * len(files)
	m.pix = make([]byte, 0, n*3*cifarPlane)
	m.labels = make([]uint8, 0, n)
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := m.appendCIFAR(d, file, perFile); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// appendCIFAR opens one file and appends its records to m.
func (m *memory) appendCIFAR(d folder, file string, records int) error {
	f, err := d.Open(file)
	if err != nil {
		return missingFile(d, file, err)
	}
	defer f.Close()
	return m.readCIFAR(f, d.path(file), records)
}

// readCIFAR appends exactly the given number of records to m. It interleaves the planes into
// pixels.
func (m *memory) readCIFAR(r io.Reader, file string, records int) error {
	br := bufio.NewReaderSize(r, 64*cifarRecord)
	record := make([]byte, cifarRecord)
	fail := func(i, within int, err error) error {
		return &FileError{File: file, Offset: int64(i*cifarRecord + within), Record: i, Err: err, Remedy: makeData}
	}
	for i := range records {
		n, err := io.ReadFull(br, record)
		switch {
		case n == 0 && i == 0 && err == io.EOF:
			return fail(0, 0, errors.New("the file is empty"))
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return fail(i, n, fmt.Errorf("truncated: %d whole records of %d: %w", i, records, io.ErrUnexpectedEOF))
		case err != nil:
			return fail(i, n, err)
		}
		if int(record[0]) >= len(m.info.Classes) {
			return fail(i, 0, fmt.Errorf("label %d is not below %d: damaged, or not CIFAR-10's binary version", record[0], len(m.info.Classes)))
		}
		m.labels = append(m.labels, record[0])
		red, green, blue := record[1:][:cifarPlane], record[1+cifarPlane:][:cifarPlane], record[1+2*cifarPlane:][:cifarPlane]
		end := len(m.pix)
		m.pix = slices.Grow(m.pix, 3*cifarPlane)[:end+3*cifarPlane]
		pix := m.pix[end:]
		for p := range cifarPlane {
			pix[3*p], pix[3*p+1], pix[3*p+2] = red[p], green[p], blue[p]
		}
	}
	if _, err := br.ReadByte(); err != io.EOF {
		if err != nil {
			return fail(records, 0, err)
		}
		return fail(records, 0, fmt.Errorf("more data after the %d records of a batch", records))
	}
	return nil
}
