package interop

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/tributary-ml/tributary/internal/atomicfile"
)

// WriteFile writes tensors to a safetensors file: []float32 as F32, []float64 as F64, []int64 as
// I64. The file appears whole or not at all.
func WriteFile(path string, tensors []Tensor, metadata map[string]string) error {
	return writeWhole(path, func(w io.Writer) error { return Write(w, tensors, metadata) })
}

// writeWhole writes a file whole or not at all.
func writeWhole(path string, write func(io.Writer) error) error {
	return atomicfile.Write(path, func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<20)
		if err := write(w); err != nil {
			return err
		}
		return w.Flush()
	})
}

// Write writes tensors in the safetensors format: header length, JSON header padded to a multiple
// of 8 bytes, data. As in the reference implementation, larger element types come first and names
// are sorted, so that equal tensors give equal bytes.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	sorted := slices.Clone(tensors)
	slices.SortStableFunc(sorted, func(a, b Tensor) int {
		if x, y := elemSize(a.Data), elemSize(b.Data); x != y {
			return y - x
		}
		return strings.Compare(a.Name, b.Name)
	})
	header, err := writeHeader(sorted, metadata)
	if err != nil {
		return err
	}
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	if _, err := w.Write(append(length, header...)); err != nil {
		return err
	}
	for _, t := range sorted {
		if err := writeData(w, t.Data); err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

func writeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	type entry struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	header := map[string]any{} // encoding/json sorts the keys
	if len(metadata) > 0 {
		header["__metadata__"] = metadata
	}
	at := int64(0)
	for _, t := range tensors {
		n, dtype := dataLen(t.Data)
		want := 1
		for _, d := range t.Shape {
			want *= d
		}
		switch _, twice := header[t.Name]; {
		case twice || t.Name == "__metadata__":
			return nil, fmt.Errorf("tensor %q: the name occurs twice or is reserved", t.Name)
		case dtype == "":
			return nil, fmt.Errorf("tensor %q: data of type %T: only []float32, []float64 and []int64 are written", t.Name, t.Data)
		case n != want:
			return nil, fmt.Errorf("tensor %q: %d elements for shape %v", t.Name, n, t.Shape)
		}
		bytes := int64(n) * int64(elemSize(t.Data))
		header[t.Name] = entry{dtype, append([]int{}, t.Shape...), [2]int64{at, at + bytes}}
		at += bytes
	}
	b, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	if len(b) > maxHeader {
		return nil, errors.New("header: too many tensors for one file")
	}
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	return b, nil
}

func dataLen(data any) (n int, dtype string) {
	switch d := data.(type) {
	case []float32:
		return len(d), "F32"
	case []float64:
		return len(d), "F64"
	case []int64:
		return len(d), "I64"
	}
	return 0, ""
}

func elemSize(data any) int {
	if _, ok := data.([]float32); ok {
		return 4
	}
	return 8
}

func writeData(w io.Writer, data any) error {
	switch d := data.(type) {
	case []float32:
		return writeChunks(w, d, func(b []byte, v float32) []byte { return binary.LittleEndian.AppendUint32(b, math.Float32bits(v)) })
	case []float64:
		return writeChunks(w, d, func(b []byte, v float64) []byte { return binary.LittleEndian.AppendUint64(b, math.Float64bits(v)) })
	case []int64:
		return writeChunks(w, d, func(b []byte, v int64) []byte { return binary.LittleEndian.AppendUint64(b, uint64(v)) })
	}
	return nil
}

func writeChunks[T any](w io.Writer, data []T, appendTo func([]byte, T) []byte) error {
	buf := make([]byte, 0, 64<<10)
	for chunk := range slices.Chunk(data, 8<<10) {
		buf = buf[:0]
		for _, v := range chunk {
			buf = appendTo(buf, v)
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
