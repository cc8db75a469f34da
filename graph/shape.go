package graph

import "fmt"

// Shape is the shape of one sample's activation, in memory order: height, width, channels. The
// batch size is set when a plan is compiled. A feature vector is (1, 1, C).
type Shape struct {
	H, W, C int
}

// Elements returns H·W·C.
func (s Shape) Elements() int { return s.H * s.W * s.C }

// Pixels returns H·W.
func (s Shape) Pixels() int { return s.H * s.W }

// String returns the shape as HxWxC.
func (s Shape) String() string { return fmt.Sprintf("%dx%dx%d", s.H, s.W, s.C) }

func (s Shape) valid() bool { return s.H > 0 && s.W > 0 && s.C > 0 }

// Pads are the rows and columns of zeros around the image.
type Pads struct {
	Top, Bottom, Left, Right int
}

// Window is the geometry that convolution and pooling share: H×W taps that move by a stride over
// the padded image.
type Window struct {
	H, W             int // taps
	StrideH, StrideW int // 0 means 1
	Pads
	Same bool // TensorFlow's SAME: output = ceil(input/stride); an odd pixel of padding is at the bottom and right
	Ceil bool // round the output size up (ceil_mode in Caffe and torchvision): the last window may reach over the edge
}

// Square returns a window of k×k taps with the same stride and padding on both axes (PyTorch's
// kernel_size, stride, padding).
func Square(k, stride, pad int) Window {
	return Window{H: k, W: k, StrideH: stride, StrideW: stride, Pads: Pads{pad, pad, pad, pad}}
}

// Rect returns a window of h×w taps, stride 1, padded by ph rows above and below and pw columns
// left and right.
func Rect(h, w, ph, pw int) Window {
	return Window{H: h, W: w, StrideH: 1, StrideW: 1, Pads: Pads{ph, ph, pw, pw}}
}

// CeilMode returns the window with Ceil set.
func (w Window) CeilMode() Window { w.Ceil = true; return w }

// resolve sets strides and SAME padding for an input. It returns the output's height and width.
func (w Window) resolve(in Shape) (Window, int, int, error) {
	if w.StrideH == 0 {
		w.StrideH = 1
	}
	if w.StrideW == 0 {
		w.StrideW = 1
	}
	if w.H < 1 || w.W < 1 || w.StrideH < 1 || w.StrideW < 1 || w.Top < 0 || w.Bottom < 0 || w.Left < 0 || w.Right < 0 {
		return w, 0, 0, fmt.Errorf("window %s is not possible: taps and strides must be at least 1, padding at least 0", w)
	}
	if w.Same {
		if w.Pads != (Pads{}) {
			return w, 0, 0, fmt.Errorf("window %s has SAME and explicit padding: give one of them", w)
		}
		w.Top, w.Bottom = samePads(in.H, w.H, w.StrideH)
		w.Left, w.Right = samePads(in.W, w.W, w.StrideW)
		w.Same = false
	}
	p := outSize(in.H, w.H, w.StrideH, w.Top, w.Bottom, w.Ceil)
	q := outSize(in.W, w.W, w.StrideW, w.Left, w.Right, w.Ceil)
	if p < 1 || q < 1 {
		return w, 0, 0, &TooSmallError{Window: w, Input: in,
			MinH: max(1, w.H-w.Top-w.Bottom), MinW: max(1, w.W-w.Left-w.Right)}
	}
	return w, p, q, nil
}

func samePads(in, k, stride int) (before, after int) {
	total := max(0, ((in+stride-1)/stride-1)*stride+k-in)
	return total / 2, total - total/2
}

func outSize(in, k, stride, before, after int, ceil bool) int {
	span := in + before + after - k
	if ceil {
		span += stride - 1 // a window may be larger than the image, as in PyTorch, if rounding up still gives one output
	}
	if span < 0 {
		return 0
	}
	out := span/stride + 1
	if !ceil {
		return out
	}
	if (out-1)*stride >= in+before { // PyTorch: a window must start inside the image or the padding before it
		out--
	}
	return out
}

// String returns the window as HxW/stride with its padding.
func (w Window) String() string {
	s := fmt.Sprintf("%dx%d", w.H, w.W)
	if w.StrideH != 1 || w.StrideW != 1 {
		s += fmt.Sprintf("/%d", w.StrideH)
		if w.StrideW != w.StrideH {
			s += fmt.Sprintf("x%d", w.StrideW)
		}
	}
	switch {
	case w.Same:
		s += " SAME"
	case w.Pads != Pads{}:
		s += fmt.Sprintf(" pad %d,%d,%d,%d", w.Top, w.Bottom, w.Left, w.Right)
	}
	if w.Ceil {
		s += " ceil"
	}
	return s
}

// TooSmallError says that a window does not fit into its input image.
type TooSmallError struct {
	Window     Window
	Input      Shape
	MinH, MinW int // the smallest input of the node that works
}

func (e *TooSmallError) Error() string {
	return fmt.Sprintf("window %s does not fit into an input of %s; the input here must be at least %dx%d", e.Window, e.Input, e.MinH, e.MinW)
}

func inferPool(w Window, in []Shape) (Window, Shape, error) {
	if len(in) != 1 {
		return w, Shape{}, fmt.Errorf("needs one input, has %d", len(in))
	}
	same := w.Same
	w, p, q, err := w.resolve(in[0])
	if err != nil {
		return w, Shape{}, err
	}
	if !same && (w.Top > w.H/2 || w.Bottom > w.H/2 || w.Left > w.W/2 || w.Right > w.W/2) {
		return w, Shape{}, fmt.Errorf("padding of window %s is more than half of it: some windows would see padding only", w)
	}
	return w, Shape{p, q, in[0].C}, nil
}
