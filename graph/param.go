package graph

import (
	"math"
)

// Role says what a parameter is in its node. It is the last part of the parameter's name.
type Role string

// The roles of parameters.
const (
	Weight      Role = "weight"       // filters, K×R×S×C
	Bias        Role = "bias"         // C
	Gamma       Role = "gamma"        // batch normalisation's scale, C
	Beta        Role = "beta"         // batch normalisation's shift, C
	RunningMean Role = "running_mean" // C; not trained
	RunningVar  Role = "running_var"  // C; not trained
)

// Param is a parameter: a tensor that lasts from step to step.
type Param struct {
	Name      string // node name + "/" + role
	Role      Role
	Dims      []int // dense, row-major: filters are (K, R, S, C), vectors (C)
	Trainable bool  // false for running statistics and for frozen parameters
	Init      Init
	LRScale   float64 // factor of the learning rate; Caffe's GoogLeNet has 2 for biases
}

// Elements returns the product of the dimensions.
func (p *Param) Elements() int {
	n := 1
	for _, d := range p.Dims {
		n *= d
	}
	return n
}

// IsStatistic reports whether the parameter is a running statistic, which no optimizer updates.
func (p *Param) IsStatistic() bool { return p.Role == RunningMean || p.Role == RunningVar }

func weight(init Init, dims ...int) *Param {
	return &Param{Role: Weight, Dims: dims, Trainable: true, Init: init, LRScale: 1}
}

func vector(role Role, c int, init Init) *Param {
	return &Param{Role: role, Dims: []int{c}, Trainable: role != RunningMean && role != RunningVar, Init: init, LRScale: 1}
}

// Init fills a parameter of dimensions dims with its initial values, drawn from r.
type Init func(r *Random, dims []int, dst []float32)

// Constant fills with v.
func Constant(v float32) Init {
	return func(_ *Random, _ []int, dst []float32) {
		for i := range dst {
			dst[i] = v
		}
	}
}

// TruncatedNormalAt draws from a normal distribution of standard deviation std, cut at ±bound in
// absolute units, as torch.nn.init.trunc_normal_(std=std, a=-bound, b=bound) does. TF-slim cuts at
// 2 std.
func TruncatedNormalAt(std, bound float64) Init {
	return func(r *Random, _ []int, dst []float32) {
		for i := range dst {
			v := std * r.Normal()
			for math.Abs(v) > bound {
				v = std * r.Normal()
			}
			dst[i] = float32(v)
		}
	}
}

// fans returns the number of inputs and the number of outputs that one weight connects (PyTorch's
// _calculate_fan_in_and_fan_out), for filters of dimensions K, R, S, C. For a vector both are the
// number of elements.
func fans(dims []int) (in, out float64) {
	if len(dims) == 1 {
		return float64(dims[0]), float64(dims[0])
	}
	area := 1
	for _, d := range dims[1 : len(dims)-1] {
		area *= d
	}
	return float64(area * dims[len(dims)-1]), float64(area * dims[0])
}

// HeNormal draws from a normal distribution of variance 2/fan_in (He et al. 2015).
func HeNormal() Init {
	return func(r *Random, dims []int, dst []float32) {
		in, _ := fans(dims)
		std := math.Sqrt(2 / in)
		for i := range dst {
			dst[i] = float32(std * r.Normal())
		}
	}
}

// XavierUniform draws uniformly from ±sqrt(3/fan_in): Caffe's "xavier" filler with its default
// variance norm, used by the 2014 GoogLeNet.
func XavierUniform() Init {
	return func(r *Random, dims []int, dst []float32) {
		in, _ := fans(dims)
		a := math.Sqrt(3 / in)
		for i := range dst {
			dst[i] = float32(a * (2*r.Uniform() - 1))
		}
	}
}

// GlorotUniform draws uniformly from ±sqrt(6/(fan_in+fan_out)) (Glorot and Bengio 2010): PyTorch's
// xavier_uniform_ and TensorFlow's default.
func GlorotUniform() Init {
	return func(r *Random, dims []int, dst []float32) {
		in, out := fans(dims)
		a := math.Sqrt(6 / (in + out))
		for i := range dst {
			dst[i] = float32(a * (2*r.Uniform() - 1))
		}
	}
}

// Initial returns the parameter's initial values for a seed. Its Init draws them from the random
// stream of (seed, name).
func (p *Param) Initial(seed uint64) []float32 {
	dst := make([]float32, p.Elements())
	p.Init(NewRandom(seed, p.Name), p.Dims, dst)
	return dst
}
