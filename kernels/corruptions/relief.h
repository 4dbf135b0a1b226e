// The relief of drops, as OpenCV's filters make it.
#ifndef RCJ_CORRUPTIONS_RELIEF_H_
#define RCJ_CORRUPTIONS_RELIEF_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "corruptions/distance.h"
#include "corruptions/edges.h"
#include "corruptions/mirror.h"
#include "corruptions/scratch.h"

namespace rcj {

struct Plane {
  int64_t height, width;
};

// Copies a plane into one with a border of one pixel, reflected.
template <class T>
void Frame(const T* plane, const Plane& size, T* framed) {
  const int64_t stride = size.width + 2;
  for (int64_t y = -1; y <= size.height; ++y) {
    const T* from = plane + Mirrored(y, size.height) * size.width;
    T* to = framed + (y + 1) * stride + 1;
    std::copy_n(from, size.width, to);
    to[-1] = from[Mirrored(-1, size.width)];
    to[size.width] = from[Mirrored(size.width, size.width)];
  }
}

// Calls put(i, sum) for the weighted sums of 3 x 3 pixels of a plane.
template <class Put>
void Filter(const int32_t* plane, const Plane& size, const int32_t weights[9],
            int32_t* framed, const Put& put) {
  Frame(plane, size, framed);
  const int64_t stride = size.width + 2;
  for (int64_t y = 0; y < size.height; ++y) {
    const int32_t* rows[3];
    for (int k = 0; k < 3; ++k) rows[k] = framed + (y + k) * stride;
    for (int64_t x = 0; x < size.width; ++x) {
      int32_t sum = 0;
      for (int k = 0; k < 9; ++k) sum += weights[k] * rows[k / 3][x + k % 3];
      put(y * size.width + x, sum);
    }
  }
}

// Flattens the histogram of values in 0..255.
inline void Equalize(int64_t pixels, int32_t* plane) {
  int32_t histogram[256] = {}, table[256];
  for (int64_t i = 0; i < pixels; ++i) ++histogram[plane[i]];
  const int32_t lowest = *std::min_element(plane, plane + pixels);
  const int32_t first = histogram[lowest];
  if (first == pixels) return;
  const auto others = static_cast<float>(pixels - first);
  const float step = 255.0f / std::max(others, 1.0f);
  int32_t below = -first;
  for (int i = 0; i < 256; ++i) {
    below += histogram[i];
    const float level = std::nearbyint(static_cast<float>(below) * step);
    table[i] = static_cast<int32_t>(std::clamp(level, 0.0f, 255.0f));
  }
  for (int64_t i = 0; i < pixels; ++i) plane[i] = table[plane[i]];
}

// Thickness of the water, lit from one side, not yet scaled.
inline void Lit(const uint8_t* liquid, const Plane& size, Scratch& scratch,
                float* mask) {
  constexpr int32_t kBox[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  constexpr int32_t kEmboss[9] = {-2, -1, 0, -1, 1, 1, 0, 1, 2};
  constexpr int32_t kLimit = 20 << 16;
  const int64_t pixels = size.height * size.width;
  int32_t* plane = scratch.Take<int32_t>(pixels);
  int32_t* framed =
      scratch.Take<int32_t>((size.height + 2) * (size.width + 2));
  const uint8_t* edges =
      Canny(liquid, size.height, size.width, 50, 150, scratch);
  Distance(edges, size.height, size.width, scratch, plane);
  for (int64_t i = 0; i < pixels; ++i) plane[i] = std::min(plane[i], kLimit);
  Filter(plane, size, kBox, framed, [&](int64_t i, int32_t sum) {
    const auto mean = static_cast<float>(sum / 65536.0 * (1 / 9.0));
    plane[i] = static_cast<int32_t>(mean);
  });
  Equalize(pixels, plane);
  Filter(plane, size, kEmboss, framed, [&](int64_t i, int32_t sum) {
    plane[i] = std::min(std::max(sum, 0), 255);
  });
  Filter(plane, size, kBox, framed, [&](int64_t i, int32_t sum) {
    mask[i] = static_cast<float>(liquid[i] * ((sum + 4) / 9));
  });
}

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_RELIEF_H_
