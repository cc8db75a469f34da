// conv.h: convolutions as matrix products (implicit GEMM): what conv_forward.cu,
// conv_backward_data.cu and conv_backward_filter.cu share.
//
//                    m                     n                      k                                A         B
//   forward          output pixel          filter                 (tap, input channel)             k-major   k-major
//   data gradient    input pixel           input channel          (segment, tap, filter)           k-major   mn-major
//   filter gradient  filter                (tap, input channel)   output pixel                     mn-major  mn-major
//
// Activations are NHWC with any stride between pixels, weights KRSC. No matrix of patches is ever
// written: the loads find the pixel of each 16-byte chunk and put zeros where it is padding. A
// chunk never crosses from one tap or segment to the next: channels are counted in whole chunks,
// and the rest of the last chunk is zeros, in shared memory only. If a tensor's address or stride
// is no multiple of 16 bytes, its chunks are gathered element by element, which is correct but
// slower.
#pragma once
#include "gemm.h"
#include "params.h"

namespace gpu {

// Pixel is a row of A in a k-major gather: the coordinates of the pixel under tap (0,0), which may
// be outside the image, and its index.
struct Pixel {
  int y, x, index;
};
// no_pixel is a row after the last: its coordinates are far outside every image.
GPU_FN Pixel no_pixel() { return {-0x40000000, 0, 0}; }
GPU_FN bool inside(int y, int x, int h, int w) { return (unsigned)y < (unsigned)h && (unsigned)x < (unsigned)w; }

// Walk is a position in the sum over (segment, tap, channel), which is the order of k. A segment's
// channels are rounded up to whole chunks.
struct Walk {
  int segment, r, s, c;
  // advance moves on by `by` channels. width(segment) is the rounded number of channels, and
  // ENDLESS after the last segment.
  template <class F> GPU_FN void advance(int by, int taps_r, int taps_s, F width) {
    c += by;
    for (int n; c >= (n = width(segment)); c -= n)
      if (++s == taps_s) {
        s = 0;
        if (++r == taps_r) r = 0, segment++;
      }
  }
};
constexpr int ENDLESS = 0x7fffffff;

template <int N> GPU_FN int whole_chunks(int channels) { return (channels + N - 1) / N * N; }
template <class T> GPU_FN bool aligned(const T* p, int elements) { return ((uintptr_t)p | (uintptr_t)elements * sizeof(T)) % 16 == 0; }

// columns returns how many of a pack's N columns exist.
template <int N> GPU_FN int columns(int left) { return left < N ? left : N; }

// segment_of returns the segment of a filter in the launch's numbering. If the filter is not below
// begin + k, no such filter exists.
template <class P> GPU_FN int segment_of(const P& p, int column) {
  int s = 0;
  while (s + 1 < p.count && p.segments[s + 1].begin <= column) s++;
  return s;
}

}  // namespace gpu
