// Edges of a grey image and the distance to them, as OpenCV finds them.
#ifndef RCJ_CORRUPTIONS_EDGES_H_
#define RCJ_CORRUPTIONS_EDGES_H_

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "corruptions/scratch.h"

namespace rcj {

// Sobel's gradient of a plane whose border is repeated, and |x| + |y| with a
// border of zeros, one pixel wide.
struct Gradient {
  int32_t *x, *y, *size;
  int64_t stride;  // of `size`
};

inline Gradient Sobel(const uint8_t* plane, int64_t height, int64_t width,
                      Scratch& scratch) {
  const int64_t stride = width + 2;
  Gradient gradient{scratch.Take<int32_t>(height * width),
                    scratch.Take<int32_t>(height * width),
                    scratch.Take<int32_t>((height + 2) * stride), stride};
  // Of three rows: the sum with the middle twice, and the lower less the upper.
  int32_t* sums = scratch.Take<int32_t>(stride);
  int32_t* falls = scratch.Take<int32_t>(stride);
  std::fill(gradient.size, gradient.size + (height + 2) * stride, 0);
  for (int64_t row = 0; row < height; ++row) {
    const uint8_t* above = plane + std::max<int64_t>(row - 1, 0) * width;
    const uint8_t* here = plane + row * width;
    const uint8_t* below = plane + std::min(row + 1, height - 1) * width;
    for (int64_t i = 0; i < width; ++i) {
      sums[i + 1] = above[i] + 2 * here[i] + below[i];
      falls[i + 1] = below[i] - above[i];
    }
    for (int32_t* line : {sums, falls}) {
      line[0] = line[1];
      line[width + 1] = line[width];
    }
    int32_t *x = gradient.x + row * width, *y = gradient.y + row * width;
    int32_t* size = gradient.size + (row + 1) * stride + 1;
    for (int64_t i = 0; i < width; ++i) {
      x[i] = sums[i + 2] - sums[i];
      y[i] = falls[i] + 2 * falls[i + 1] + falls[i + 2];
      size[i] = std::abs(x[i]) + std::abs(y[i]);
    }
  }
  return gradient;
}

// Whether no neighbour along the gradient (x, y) is larger than `size`.
inline bool IsRidge(int32_t x, int32_t y, const int32_t* size, int64_t stride) {
  constexpr int32_t kTan22 = 13573;  // tangent of 22.5 degrees times 2^15
  const int32_t flat = std::abs(x) * kTan22, steep = std::abs(y) << 15;
  const int32_t here = *size;
  if (steep < flat) return here > size[-1] && here >= size[1];
  if (steep > flat + (std::abs(x) << 16)) {
    return here > size[-stride] && here >= size[stride];
  }
  const int64_t side = (x ^ y) < 0 ? -1 : 1;
  return here > size[-stride - side] && here > size[stride + side];
}

constexpr uint8_t kEdge = 1, kCandidate = 2;

// Makes candidates that touch an edge, corners included, edges too. `from`
// holds the places of `count` edges, with room for all pixels: each becomes an
// edge at most once.
inline void Grow(int32_t* from, int64_t count, int64_t stride,
                 uint8_t* edges) {
  while (count > 0) {
    const int64_t here = from[--count];
    for (int64_t row = here - stride; row <= here + stride; row += stride) {
      for (int64_t at = row - 1; at <= row + 1; ++at) {
        if (edges[at] != kCandidate) continue;
        edges[at] = kEdge;
        from[count++] = static_cast<int32_t>(at);
      }
    }
  }
}

// Ridges of the gradient above `low` that touch one above `high`: kEdge in rows
// of width + 2, with a border one pixel wide.
inline uint8_t* Canny(const uint8_t* plane, int64_t height, int64_t width,
                      int32_t low, int32_t high, Scratch& scratch) {
  const Gradient gradient = Sobel(plane, height, width, scratch);
  const int64_t stride = gradient.stride;
  uint8_t* edges = scratch.Take<uint8_t>((height + 2) * stride);
  int32_t* found = scratch.Take<int32_t>(height * width);
  int64_t count = 0;
  std::fill(edges, edges + (height + 2) * stride, uint8_t{0});
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const int64_t at = (y + 1) * stride + x + 1, inner = y * width + x;
      const int32_t* size = gradient.size + at;
      if (*size <= low ||
          !IsRidge(gradient.x[inner], gradient.y[inner], size, stride)) {
        continue;
      }
      edges[at] = *size > high ? kEdge : kCandidate;
      if (*size > high) found[count++] = static_cast<int32_t>(at);
    }
  }
  Grow(found, count, stride, edges);
  return edges;
}

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_EDGES_H_
