package dataset

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestReadCIFAR(t *testing.T) {
	d := folder{fstest.MapFS{
		"a.bin": {Data: cifarFile(3)},
		"b.bin": {Data: cifarFile(3)},
	}, "dir"}
	m, err := loadCIFAR(context.Background(), d, "c", []string{"a.bin", "b.bin"}, 3)
	require.NoError(t, err)
	require.Equal(t, 6, m.Len())

	var img Image
	label, err := m.Decode(4, &img)
	require.NoError(t, err)
	require.EqualValues(t, 1, label)
	require.Equal(t, []int{32, 32, 3}, []int{img.H, img.W, img.C})
	// The wanted pixel is (row 2, column 5) of record 1, from its three planes.
	at := cifarRecord + 1 + 2*32 + 5
	want := []byte{byte(at), byte(at + cifarPlane), byte(at + 2*cifarPlane)}
	require.Equal(t, want, img.Pix[3*(2*32+5):][:3])
}

func TestReadCIFARErrors(t *testing.T) {
	badLabel := cifarFile(3)
	badLabel[2*cifarRecord] = 10
	for _, c := range []struct {
		name   string
		file   []byte
		offset int64
		record int
		text   string
	}{
		{"empty", nil, 0, 0, "the file is empty"},
		{"truncated", cifarFile(3)[:cifarRecord+100], cifarRecord + 100, 1, "truncated: 1 whole records of 3"},
		{"records missing", cifarFile(2), 2 * cifarRecord, 2, "truncated: 2 whole records of 3"},
		{"label", badLabel, 2 * cifarRecord, 2, "label 10 is not below 10"},
		{"trailing", cifarFile(4), 3 * cifarRecord, 3, "more data after the 3 records"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &memory{info: cifar10Info}
			err := m.readCIFAR(bytes.NewReader(c.file), "f.bin", 3)
			requireFileError(t, err, "f.bin", c.offset, c.record, c.text)
		})
	}

	t.Run("unreadable", func(t *testing.T) {
		m := &memory{info: cifar10Info}
		broken := errors.New("disk on fire")
		err := m.readCIFAR(iotest.ErrReader(broken), "f.bin", 3)
		requireFileError(t, err, "f.bin", 0, 0, "disk on fire")
		require.ErrorIs(t, err, broken)
	})
	t.Run("missing", func(t *testing.T) {
		d := folder{fstest.MapFS{"a.bin": {Data: cifarFile(1)}}, "dir"}
		_, err := loadCIFAR(context.Background(), d, "c", []string{"a.bin", "b.bin"}, 1)
		requireFileError(t, err, "dir/b.bin", -1, -1, "make data")
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := loadCIFAR(ctx, folder{fstest.MapFS{}, "dir"}, "c", cifarTest, 1)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func FuzzReadCIFAR(f *testing.F) {
	f.Add(cifarFile(2))
	f.Add(cifarFile(3)[:5000])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		m := &memory{info: cifar10Info}
		if err := m.readCIFAR(bytes.NewReader(file), "f.bin", 2); err == nil {
			require.Len(t, m.labels, 2)
			require.Len(t, m.pix, 2*3*cifarPlane)
		}
	})
}
