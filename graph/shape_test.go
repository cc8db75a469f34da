package graph

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The expected output sizes are PyTorch's (MaxPool2d, Conv2d) and TensorFlow's (SAME).
func TestWindowSizes(t *testing.T) {
	for _, c := range []struct {
		w    Window
		in   int
		want int
	}{
		{Square(7, 2, 3), 224, 112},
		{Square(3, 2, 0).CeilMode(), 112, 56},
		{Square(3, 2, 0), 112, 55},
		{Square(3, 2, 0).CeilMode(), 56, 28},
		{Square(3, 2, 0).CeilMode(), 14, 7},
		{Square(2, 2, 0).CeilMode(), 14, 7},
		{Square(3, 2, 0).CeilMode(), 2, 1},
		{Square(2, 2, 1).CeilMode(), 3, 2}, // the third window would start in the padding behind the image
		{Square(3, 2, 0), 299, 149},
		{Square(5, 3, 0), 14, 4},
		{Window{H: 3, W: 3, StrideH: 2, StrideW: 2, Same: true}, 224, 112},
		{Window{H: 3, W: 3, Same: true}, 7, 7},
	} {
		_, p, q, err := c.w.resolve(Shape{c.in, c.in, 1})
		require.NoError(t, err)
		require.Equal(t, c.want, p, "%s over %d", c.w, c.in)
		require.Equal(t, p, q)
	}
	w, _, _, err := Window{H: 3, W: 3, StrideH: 2, StrideW: 2, Same: true}.resolve(Shape{224, 225, 1})
	require.NoError(t, err)
	require.Equal(t, Pads{0, 1, 1, 1}, w.Pads, "the odd padding pixel is at the end")
}

// The first blocks of the known-answer test of the Random123 distribution (kat_vectors, philox 4x32
// 10).
func TestPhiloxKnownAnswers(t *testing.T) {
	require.Equal(t, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, Philox4x32([4]uint32{}, [2]uint32{}))
	f := uint32(0xffffffff)
	require.Equal(t, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}, Philox4x32([4]uint32{f, f, f, f}, [2]uint32{f, f}))
	require.Equal(t, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		Philox4x32([4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}))
}

func TestInitializers(t *testing.T) {
	p := &Param{Name: "x/weight", Role: Weight, Dims: []int{64, 3, 3, 50}, Init: HeNormal()}
	std := func(v []float32) (mean, dev float64) {
		for _, x := range v {
			mean += float64(x) / float64(len(v))
		}
		for _, x := range v {
			dev += (float64(x) - mean) * (float64(x) - mean) / float64(len(v))
		}
		return mean, dev
	}
	mean, v := std(p.Initial(1))
	require.InDelta(t, 0, mean, 1e-3)
	require.InEpsilon(t, 2.0/450, v, 0.03)
	require.Equal(t, p.Initial(1), p.Initial(1))
	require.NotEqual(t, p.Initial(1), p.Initial(2))
	p.Init = XavierUniform()
	_, v = std(p.Initial(1))
	require.InEpsilon(t, 1.0/450, v, 0.03)
	p.Init = TruncatedNormalAt(0.1, 0.2)
	for _, x := range p.Initial(3) {
		require.LessOrEqual(t, x, float32(0.2))
		require.GreaterOrEqual(t, x, float32(-0.2))
	}
}

func TestNearest(t *testing.T) {
	require.Equal(t, []string{"inception4a", "inception4d"}, Nearest("inception4q", []string{"conv1", "inception4a", "inception4d", "inception5b"}, 2))
	require.Equal(t, "aux1/fc", Nearest("fc", []string{"conv", "aux1/fc"}, 1)[0])
}
