// The length of the shortest walk to an edge, as OpenCV's 5 x 5 mask has it.
#ifndef RCJ_CORRUPTIONS_DISTANCE_H_
#define RCJ_CORRUPTIONS_DISTANCE_H_

#include <algorithm>
#include <cstdint>

#include "corruptions/edges.h"
#include "corruptions/scratch.h"

namespace rcj {

// Shortens the lengths of a row by steps from the two rows before it, `near`
// and `next`, then by steps along it, to the right or to the left.
inline void Walk(const int32_t* near, const int32_t* next, int64_t width,
                 bool to_right, int32_t* __restrict row) {
  // A step to the side, to the corner, and a knight's, times 2^16.
  constexpr int32_t kSide = 65536, kCorner = 91750, kKnight = 143976;
  for (int64_t i = 0; i < width; ++i) {
    const int32_t corner = std::min(near[i - 1], near[i + 1]) + kCorner;
    const int32_t knight = std::min(std::min(near[i - 2], near[i + 2]),
                                    std::min(next[i - 1], next[i + 1])) +
                           kKnight;
    row[i] = std::min(std::min(row[i], near[i] + kSide),
                      std::min(corner, knight));
  }
  if (to_right) {
    for (int64_t i = 1; i < width; ++i) {
      row[i] = std::min(row[i], row[i - 1] + kSide);
    }
  } else {
    for (int64_t i = width - 2; i >= 0; --i) {
      row[i] = std::min(row[i], row[i + 1] + kSide);
    }
  }
}

// Lengths times 2^16 from each pixel to the next of `edges`, which is kEdge
// there and has a border one pixel wide.
inline void Distance(const uint8_t* edges, int64_t height, int64_t width,
                     Scratch& scratch, int32_t* lengths) {
  constexpr int32_t kFar = 1 << 29;
  const int64_t stride = width + 4;
  int32_t* padded = scratch.Take<int32_t>((height + 4) * stride);
  std::fill(padded, padded + (height + 4) * stride, kFar);
  int32_t* first = padded + 2 * stride + 2;
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* edge = edges + (y + 1) * (width + 2) + 1;
    int32_t* row = first + y * stride;
    for (int64_t i = 0; i < width; ++i) row[i] = edge[i] == kEdge ? 0 : kFar;
    Walk(row - stride, row - 2 * stride, width, true, row);
  }
  for (int64_t y = height - 1; y >= 0; --y) {
    int32_t* row = first + y * stride;
    Walk(row + stride, row + 2 * stride, width, false, row);
    std::copy_n(row, width, lengths + y * width);
  }
}

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_DISTANCE_H_
