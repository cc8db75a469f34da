package interop

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// The versions of the format and of the operators. IR version 8 and opset 17 are those of ONNX 1.12
// (2022).
const (
	onnxIR    = 8
	onnxOpset = 17
)

// onnxModel is the content of a model file. https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
// has the message types and their field numbers.
type onnxModel struct {
	nodes        []onnxNode
	initializers []Tensor
	input        onnxTensorType
	outputs      []onnxTensorType
	metadata     map[string]string
}

type onnxNode struct {
	kind, name string
	inputs     []string
	output     string
	attributes []onnxAttribute
}

// onnxAttribute has a value of type int, float32 or []int.
type onnxAttribute struct {
	name  string
	value any
}

// onnxTensorType is the type of a float32 tensor. A dimension of -1 is the free dimension N.
type onnxTensorType struct {
	name string
	dims []int
}

// message is a protobuf message under construction.
type message []byte

func (m *message) bytes(field protowire.Number, v []byte) {
	*m = protowire.AppendTag(*m, field, protowire.BytesType)
	*m = protowire.AppendBytes(*m, v)
}

func (m *message) string(field protowire.Number, v string) { m.bytes(field, []byte(v)) }

func (m *message) int(field protowire.Number, v int) {
	*m = protowire.AppendTag(*m, field, protowire.VarintType)
	*m = protowire.AppendVarint(*m, uint64(v))
}

func (m *message) float(field protowire.Number, v float32) {
	*m = protowire.AppendTag(*m, field, protowire.Fixed32Type)
	*m = protowire.AppendFixed32(*m, math.Float32bits(v))
}

// write writes a ModelProto.
func (o *onnxModel) write(w io.Writer) error {
	var g message
	for _, n := range o.nodes {
		g.bytes(1, n.encode())
	}
	g.string(2, o.metadata["network"])
	for _, t := range o.initializers {
		b, err := encodeTensor(t)
		if err != nil {
			return err
		}
		g.bytes(5, b)
	}
	g.bytes(11, o.input.encode())
	for _, t := range o.outputs {
		g.bytes(12, t.encode())
	}
	var m, opset message
	m.int(1, onnxIR)
	m.string(2, "tributary")
	m.bytes(7, g)
	opset.int(2, onnxOpset)
	m.bytes(8, opset)
	for _, k := range slices.Sorted(maps.Keys(o.metadata)) {
		var entry message
		entry.string(1, k)
		entry.string(2, o.metadata[k])
		m.bytes(14, entry)
	}
	if len(m) > math.MaxInt32 {
		return fmt.Errorf("the model has %d bytes; a protobuf message holds 2 GiB", len(m))
	}
	_, err := w.Write(m)
	return err
}

// encode returns a NodeProto.
func (n onnxNode) encode() (m message) {
	for _, i := range n.inputs {
		m.string(1, i)
	}
	m.string(2, n.output)
	m.string(3, n.name)
	m.string(4, n.kind)
	for _, a := range n.attributes {
		m.bytes(5, a.encode())
	}
	return m
}

// encode returns an AttributeProto.
func (a onnxAttribute) encode() (m message) {
	m.string(1, a.name)
	switch v := a.value.(type) {
	case float32:
		m.float(2, v)
		m.int(20, 1)
	case int:
		m.int(3, v)
		m.int(20, 2)
	case []int:
		for _, i := range v {
			m.int(8, i)
		}
		m.int(20, 7)
	}
	return m
}

// encode returns a ValueInfoProto.
func (t onnxTensorType) encode() (m message) {
	var shape, tensor, kind message
	for _, d := range t.dims {
		var dim message
		if d < 0 {
			dim.string(2, "N")
		} else {
			dim.int(1, d)
		}
		shape.bytes(1, dim)
	}
	tensor.int(1, 1) // FLOAT
	tensor.bytes(2, shape)
	kind.bytes(1, tensor)
	m.string(1, t.name)
	m.bytes(2, kind)
	return m
}

// encodeTensor returns a TensorProto.
func encodeTensor(t Tensor) (m message, err error) {
	for _, d := range t.Shape {
		m.int(1, d)
	}
	var raw []byte
	switch v := t.Data.(type) {
	case []float32:
		m.int(2, 1)
		raw = make([]byte, 0, 4*len(v))
		for _, f := range v {
			raw = protowire.AppendFixed32(raw, math.Float32bits(f))
		}
	case []int64:
		m.int(2, 7)
		raw = make([]byte, 0, 8*len(v))
		for _, i := range v {
			raw = protowire.AppendFixed64(raw, uint64(i))
		}
	default:
		return nil, fmt.Errorf("tensor %s has elements of type %T", t.Name, t.Data)
	}
	m.string(8, t.Name)
	m.bytes(9, raw)
	return m, nil
}
