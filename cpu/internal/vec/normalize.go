package vec

import "unsafe"

// Normalize computes dst[i,c] = src[i,c]·scale[c] + shift[c] for rows×channels bytes without gaps.
// With scale = 1/(255·std) and shift = -mean/std it is the usual (v/255-mean)/std.
func Normalize[T Float](dst []T, src []byte, rows, channels int, scale, shift []T) {
	n := rows * channels
	dst, src, scale, shift = dst[:n], src[:n], scale[:channels], shift[:channels]
	first := 0
	if k := simd[T](); k != nil && n >= 3*k.lanes && 3*k.lanes%channels == 0 {
		first = normalizeGroups(k, ptr(dst), src, ptr(scale), ptr(shift), channels)
	}
	for i := first; i < n; i += channels {
		for c, a := range scale {
			dst[i+c] = fma(T(src[i+c]), a, shift[c])
		}
	}
}

// normalizeGroups runs the assembly on whole groups of three vectors and returns the number of
// elements in them.
func normalizeGroups(k *kernels, dst *float32, src []byte, scale, shift *float32, channels int) int {
	var a, b [3 * 16]float32
	group := 3 * k.lanes
	for i := range group {
		a[i], b[i] = unsafe.Slice(scale, channels)[i%channels], unsafe.Slice(shift, channels)[i%channels]
	}
	k.normalize(dst, &src[0], &a[0], &b[0], len(src)/group)
	return len(src) / group * group
}
