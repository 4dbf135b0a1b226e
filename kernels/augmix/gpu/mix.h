// The last kernel: views of the chains' images, mixed and normalised.
#ifndef RCJ_AUGMIX_GPU_MIX_H_
#define RCJ_AUGMIX_GPU_MIX_H_

#include <cstdint>
#include <cstring>

#include "augmix/gpu/problem.h"

namespace rcj::augmix_gpu {

constexpr int kTile = 4 * kBlock;  // pixels of a block

// Sums of a tile in the order of the view, so that neighbouring threads write
// neighbouring values, though each keeps whole pixels.
struct MixMemory {
  float value[3 * kTile];
};

// The bits of the nearest bfloat16, of two the even one.
RCJ_BOTH uint16_t Brief(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

RCJ_BOTH void Put(float value, float* to) { *to = value; }
RCJ_BOTH void Put(float value, uint16_t* to) { *to = Brief(value); }

// Adds the pixel, weighted, to the three values at `sum`.
RCJ_BOTH void AddPixel(float weight, Pixel p, float* sum) {
  for (int c = 0; c < 3; ++c) {
    sum[c] += weight * static_cast<float>(Channel(p, c));
  }
}

// Part 1: version `row` of pixels first..first + kTile - 1.
RCJ_BOTH void MixPixels(const Problem& problem, int64_t row, int first,
                        MixMemory& memory, int t) {
  const uint8_t* image = problem.Image(row / problem.A);
  const float m = problem.m[row];
  const int end = Clamp(problem.Pixels() - first, 0, kTile);
  for (int i = t; i < end; i += kBlock) {
    for (int c = 0; c < 3; ++c) {
      const float value = static_cast<float>(image[3 * (first + i) + c]);
      memory.value[3 * i + c] = (1 - m) * value;
    }
  }
  for (int k = 0; k < problem.K; ++k) {
    const View view = problem.Seen(row * problem.K + k);
    const float weight = m * problem.weights[row * problem.K + k];
    for (Walk at(first + t, problem.W); at.i < first + end; at.Next()) {
      float* sum = memory.value + 3 * (at.i - first);
      AddPixel(weight, Evaluate(view, at.x, at.y), sum);
    }
  }
}

// Part 2: writes what part 1 left of a view. Value v of a pixel's three is of
// channel v % 3, also within a tile, since kTile values begin with channel 0.
template <class T>
RCJ_BOTH void WriteView(const Problem& problem, int first,
                        const MixMemory& memory, T* view, int t) {
  const int values = 3 * Clamp(problem.Pixels() - first, 0, kTile);
  for (int v = t; v < values; v += kBlock) {
    const float mixed = memory.value[v];
    Put(mixed * problem.scale[v % 3] + problem.offset[v % 3],
        view + 3 * static_cast<int64_t>(first) + v);
  }
}

// The view of the image itself, in one part.
template <class T>
RCJ_BOTH void WriteClean(const Problem& problem, int64_t i, int first, T* view,
                         int t) {
  const uint8_t* image = problem.Image(i);
  const int values = 3 * Clamp(problem.Pixels() - first, 0, kTile);
  for (int v = t; v < values; v += kBlock) {
    const int64_t at = 3 * static_cast<int64_t>(first) + v;
    const float value = static_cast<float>(image[at]);
    Put(value * problem.scale[v % 3] + problem.offset[v % 3], view + at);
  }
}

}  // namespace rcj::augmix_gpu

#endif  // RCJ_AUGMIX_GPU_MIX_H_
