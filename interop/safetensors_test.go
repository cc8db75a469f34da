package interop

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func read(b []byte) (*File, error) { return Read("x.safetensors", bytes.NewReader(b), int64(len(b))) }

func TestWriteAndRead(t *testing.T) {
	tensors := []Tensor{
		{"b", []int{2, 3}, []float32{1, -2, 3.5, float32(math.Inf(1)), math.SmallestNonzeroFloat32, 0}},
		{"a", []int{}, []float64{math.Pi}},
		{"labels", []int{2}, []int64{-1, math.MaxInt64}},
		{"empty", []int{0, 7}, []float32{}},
		{`quote " ünicode`, []int{1}, []float32{7}},
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	require.NoError(t, WriteFile(path, tensors, map[string]string{"network": "n"}))
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, map[string]string{"network": "n"}, f.Metadata)
	assert.Len(t, f.Names(), len(tensors))
	for _, want := range tensors {
		got, err := f.Tensor(want.Name)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, info := range f.Tensors() {
		if info.DType == "F64" {
			assert.Zero(t, info.Offset%8, "aligned")
		}
	}
	_, err = f.Tensor("label")
	assert.ErrorContains(t, err, `unknown tensor of `+path+` "label"; the nearest: labels`)

	var one, two bytes.Buffer
	require.NoError(t, Write(&one, tensors, nil))
	tensors[0], tensors[1] = tensors[1], tensors[0]
	require.NoError(t, Write(&two, tensors, nil))
	assert.Equal(t, one.Bytes(), two.Bytes(), "equal tensors give equal bytes")
}

func TestWriteRefuses(t *testing.T) {
	for want, tensors := range map[string][]Tensor{
		`tensor "a": the name occurs twice`:       {{"a", nil, []float32{1}}, {"a", nil, []float32{1}}},
		`tensor "__metadata__"`:                   {{"__metadata__", nil, []float32{1}}},
		`tensor "a": 2 elements for shape [3]`:    {{"a", []int{3}, []float32{1, 2}}},
		`tensor "a": data of type []int32: only `: {{"a", []int{1}, []int32{1}}},
	} {
		assert.ErrorContains(t, Write(&bytes.Buffer{}, tensors, nil), want)
	}
}

// A failed write leaves the old file and nothing else.
func TestWriteFileIsAtomic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "w.safetensors")
	require.NoError(t, WriteFile(path, []Tensor{{"a", nil, []float32{1}}}, nil))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.ErrorContains(t, WriteFile(path, []Tensor{{"a", nil, "no"}}, nil), path+`: tensor "a"`)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1)
	assert.ErrorContains(t, WriteFile(filepath.Join(dir, "no", "w"), nil, nil), "no such file or directory")
}

func TestReadElementTypes(t *testing.T) {
	half := []uint16{0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000, 0x7c00, 0x03ff, 0x0400}
	b := file(`{"h":{"dtype":"F16","shape":[8],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[16,18]},`+
		`"i":{"dtype":"I32","shape":[1],"data_offsets":[18,22]},"u":{"dtype":"U8","shape":[1],"data_offsets":[22,23]},"x":{"dtype":"BOOL","shape":[1],"data_offsets":[23,24]}} `, 0)
	for _, h := range half {
		b = binary.LittleEndian.AppendUint16(b, h)
	}
	b = append(b, 0x80, 0xbf) // -1
	b = append(b, 0xfe, 0xff, 0xff, 0xff, 200, 1)
	f, err := read(b)
	require.NoError(t, err)
	got, err := f.Tensor("h")
	require.NoError(t, err)
	assert.Equal(t, []float32{1, -2, 65504, 0x1p-24, float32(math.Copysign(0, -1)), float32(math.Inf(1)), 1023 * 0x1p-24, 0x1p-14}, got.Data)
	for name, want := range map[string]any{"b": []float32{-1}, "i": []int64{-2}, "u": []int64{200}} {
		got, err := f.Tensor(name)
		require.NoError(t, err)
		assert.Equal(t, want, got.Data)
	}
	_, err = f.Tensor("x")
	assert.ErrorContains(t, err, `safetensors file x.safetensors: tensor "x": at byte `)
	assert.ErrorContains(t, err, "elements of type BOOL are not read; convert the tensor to F32")
}

func TestReadRefuses(t *testing.T) {
	const good = `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	_, err := read(file(good, 8))
	require.NoError(t, err)
	huge := file(good, 8)
	binary.LittleEndian.PutUint64(huge, 1<<63)
	for want, b := range map[string][]byte{
		"at byte 0: 3 bytes: a file begins with 8":                     []byte("abc"),
		"header length 9223372036854775808 is above 100000000":         huge,
		"header of 54 bytes in a file of 40; the file is cut off":      file(good, 0)[:40],
		`tensor "a": at byte 62: needs 8 bytes, the file ends after 7`: file(good, 7),
		"at byte 70: 1 bytes after the last tensor":                    file(good, 9),
		"no JSON object":                                                    file(`[]`, 0),
		"something follows the JSON object":                                 file(good+"x", 8),
		`tensor "a": at byte 114: header: occurs twice`:                     file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
		"data_offsets [0 8] for 4 bytes of F32[1]":                          file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}`, 8),
		"data_offsets [8 4]":                                                file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}`, 8),
		"begins at 4, the tensor before it ends at 0":                       file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
		"begins at 0, the tensor before it ends at 4; write the file again": file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4),
		"is too large":                            file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,8]}}`, 8),
		`unknown dtype "F33"`:                     file(`{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}`, 4),
		"needs dtype, shape and two data_offsets": file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4),
		`unknown field "x"`:                       file(`{"a":{"x":1}}`, 4),
		"cannot unmarshal number -1":              file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4),
		`tensor "__metadata__": at byte`:          file(`{"__metadata__":{"a":1}}`, 0),
		"is it a safetensors file? Convert .pth files with safetensors.torch": file("PK\x03\x04", 100),
	} {
		_, err := read(b)
		require.ErrorContains(t, err, want)
		var fe *FileError
		assert.ErrorAs(t, err, &fe)
	}
	_, err = Open(filepath.Join(t.TempDir(), "none"))
	assert.True(t, errors.Is(err, os.ErrNotExist))
	_, err = Open(t.TempDir())
	assert.ErrorContains(t, err, "is a folder, not a file")
}

// For any bytes, reading ends with a file whose tensors can all be read, or with an error.
func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	require.NoError(f, Write(&b, []Tensor{{"a", []int{2}, []float32{1, 2}}, {"b", []int{}, []int64{3}}}, map[string]string{"k": "v"}))
	f.Add(b.Bytes())
	f.Add(file(`{"a":{"dtype":"F16","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"BF16","shape":[1,1],"data_offsets":[0,2]}}`, 2))
	f.Add(file(`{"a":{"dtype":"BOOL","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]}}`, 2))
	f.Add([]byte{0xff, 0xff, 0xff, 0x05, 0, 0, 0, 0, '{'})
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := read(b)
		if err != nil {
			return
		}
		total := int64(0)
		for _, info := range x.Tensors() {
			total += info.Bytes
			if d, err := x.Tensor(info.Name); err == nil && d.Name != info.Name {
				t.Errorf("tensor %q is called %q", info.Name, d.Name)
			}
		}
		if total > int64(len(b)) {
			t.Errorf("%d bytes of tensors in a file of %d", total, len(b))
		}
	})
}
