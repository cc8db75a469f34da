package dataset

import (
	"slices"

	"github.com/tributary-ml/tributary/augment"
)

// withChannels is a source that repeats grey images into three channels, or reduces colour images
// to their luma.
type withChannels struct {
	Source
	info Info
}

// asChannels returns src with c channels, 1 or 3. It returns src itself if it has c channels.
//
// The luma's mean follows from the channels' means. Its standard deviation is taken as the weighted
// sum of theirs, which is exact for fully correlated channels.
func asChannels(src Source, c int) Source {
	info := src.Info()
	if info.C == c {
		return src
	}
	info.Mean, info.Std = ChannelStats(info.Mean, c), ChannelStats(info.Std, c)
	info.C = c
	return &withChannels{src, info}
}

// ChannelStats converts a statistic of grey to c = 3 channels, or of three channels to c = 1.
func ChannelStats(v []float32, c int) []float32 {
	if len(v) == c {
		return v
	}
	if c == 1 {
		return []float32{0.299*v[0] + 0.587*v[1] + 0.114*v[2]}
	}
	return []float32{v[0], v[0], v[0]}
}

func (s *withChannels) Info() Info { return s.info }

func (s *withChannels) counts() []int { return Counts(s.Source) }

func (s *withChannels) Decode(i int, dst *Image) (int32, error) {
	label, err := s.Source.Decode(i, dst)
	if err != nil {
		return 0, err
	}
	n := dst.H * dst.W
	if s.info.C == 1 {
		lumaOf(dst.Pix, dst.Pix)
		dst.Reshape(dst.H, dst.W, 1)
		return label, nil
	}
	dst.Pix = slices.Grow(dst.Pix[:n], 2*n)[:3*n]
	dst.C = 3
	// Go from the end, so that no grey value is overwritten before it is read.
	for i := n - 1; i >= 0; i-- {
		v := dst.Pix[i]
		dst.Pix[3*i], dst.Pix[3*i+1], dst.Pix[3*i+2] = v, v, v
	}
	return label, nil
}

// lumaOf writes the luma of each pixel of rgb to grey. Both may be the same memory.
func lumaOf(grey, rgb []byte) {
	for i := range len(rgb) / 3 {
		grey[i] = augment.Luma(rgb[3*i], rgb[3*i+1], rgb[3*i+2])
	}
}
