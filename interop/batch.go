package interop

import (
	"fmt"
	"math"

	"github.com/tributary-ml/tributary/graph"
)

// Batch is a batch of images with labels, in the form of graph.Feed.
type Batch struct {
	N      int
	Shape  graph.Shape // of one image
	Images []float32   // N·H·W·C, NHWC
	Labels []int32     // N
}

// ReadBatch reads the tensors images (N, C, H, W) of floats and labels (N) of integers. It does not
// normalise images.
func ReadBatch(f *File) (*Batch, error) {
	images, err := f.Tensor("images")
	if err != nil {
		return nil, err
	}
	labels, err := f.Tensor("labels")
	if err != nil {
		return nil, err
	}
	pixels, ok := images.Data.([]float32)
	if s := images.Shape; !ok || len(s) != 4 || len(pixels) == 0 {
		return nil, f.wrong("images", fmt.Errorf("shape %v of %T; the images of a batch are (N, C, H, W) of float32", s, images.Data))
	}
	classes, ok := labels.Data.([]int64)
	if s := labels.Shape; !ok || len(s) != 1 || s[0] != images.Shape[0] {
		return nil, f.wrong("labels", fmt.Errorf("shape %v of %T for images of shape %v; the labels of a batch are (N) of int64", s, labels.Data, images.Shape))
	}
	s := images.Shape
	b := &Batch{N: s[0], Shape: graph.Shape{H: s[2], W: s[3], C: s[1]}, Labels: make([]int32, s[0])}
	b.Images = toChannelsLast(pixels, s[0], s[2]*s[3], s[1])
	for i, l := range classes {
		if l < int64(graph.IgnoreLabel) || l > math.MaxInt32 {
			return nil, f.wrong("labels", fmt.Errorf("label %d of row %d", l, i))
		}
		b.Labels[i] = int32(l)
	}
	return b, nil
}

// ReadBatchFile opens a file and reads it with ReadBatch.
func ReadBatchFile(path string) (*Batch, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadBatch(f)
}

// Tensors returns the batch as the tensors of a file.
func (b *Batch) Tensors() []Tensor {
	labels := make([]int64, len(b.Labels))
	for i, l := range b.Labels {
		labels[i] = int64(l)
	}
	s := b.Shape
	return []Tensor{
		{"images", []int{b.N, s.C, s.H, s.W}, toChannelsFirst(b.Images, b.N, s.Pixels(), s.C)},
		{"labels", []int{b.N}, labels},
	}
}

func (f *File) wrong(tensor string, err error) error {
	info, _ := f.Info(tensor)
	return &FileError{File: f.Path, Tensor: tensor, Offset: info.Offset, Err: err}
}
