package augment

import (
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"
)

// noise returns the image of the checksums:
//
//	i = numpy.arange(h*w*c); ((i*i*31 + i*17) >> 3).astype(uint8).reshape(h, w, c)
func noise(h, w, c int) []byte {
	pix := make([]byte, h*w*c)
	for i := range pix {
		pix[i] = byte((i*i*31 + i*17) >> 3)
	}
	return pix
}

// The checksums are those of Image.resize(…, BILINEAR) in Pillow, first to the new width, then to
// the new height. (Pillow 13 chooses the order by cost, which differs in the third case; earlier
// versions always use this order.)
func TestResampleMatchesPillow(t *testing.T) {
	for _, c := range []struct {
		h, w, c        int
		y, x, rows, in int // the cut
		oh, ow         int
		want           uint32
	}{
		{17, 13, 3, 0, 0, 17, 13, 5, 7, 0x7c1b7ca4},
		{17, 13, 3, 0, 0, 17, 13, 31, 29, 0xfec9810b},
		{17, 13, 1, 0, 0, 17, 13, 5, 29, 0xf6f0aede},
		{17, 13, 3, 0, 0, 17, 13, 17, 6, 0xce0a01cf},
		{375, 500, 3, 20, 100, 300, 333, 224, 224, 0xa22926f3},
	} {
		var s Resampler
		out := make([]byte, c.oh*c.ow*c.c)
		s.Resample(out, c.oh, c.ow, c.c, noise(c.h, c.w, c.c)[(c.y*c.w+c.x)*c.c:], c.w*c.c, Resized(c.rows, c.oh), Resized(c.in, c.ow))
		require.Equal(t, c.want, crc32.ChecksumIEEE(out), "%+v", c)
	}
}

// The checksums are those of ImageEnhance in Pillow 13.0.
func TestAdjustmentsMatchPillow(t *testing.T) {
	for _, c := range []struct {
		factor float32
		want   [3]uint32
	}{
		{0.6, [3]uint32{0x9b60b9c4, 0x83a0cb67, 0xc4a4eb54}},
		{1.4, [3]uint32{0xbadd9df2, 0x4893ea3c, 0x9495035a}},
	} {
		for i, op := range []Op{Brightness, Contrast, Saturation} {
			pix := noise(17, 13, 3)
			Adjustment{op, c.factor}.Apply(pix, 3)
			require.Equal(t, c.want[i], crc32.ChecksumIEEE(pix), "%d by %v", op, c.factor)
		}
	}
}

// An image that shrinks by more than the weights can express becomes black, without an error.
func TestResampleToNothing(t *testing.T) {
	var s Resampler
	out := []byte{9}
	wide := make([]byte, 1<<24)
	s.Resample(out, 1, 1, 1, wide, len(wide), Resized(1, 1), Resized(len(wide), 1))
	require.Equal(t, []byte{0}, out)
}
