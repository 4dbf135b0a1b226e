// One row of a mixture.
#ifndef RCJ_AUGMIX_MIX_ROW_H_
#define RCJ_AUGMIX_MIX_ROW_H_

#include <cstdint>

#include "common/simd.h"

namespace rcj::augmix {

#ifdef RCJ_SIMD
constexpr int kRepeats = simd::kFloats;
#else
constexpr int kRepeats = 1;
#endif

// The three channels of a row; 15 bytes beyond its end can be read.
struct Row {
  const uint8_t* of[3];
};

// What a layer's values are multiplied by, per channel, as a vector of equals.
struct alignas(64) Factors {
  float of[3][kRepeats];
};

struct Weighting {
  int64_t count;  // of layers
  const Factors* factors;
  const float* offset;
};

// Writes W pixels: offset + sum of factor * value, summed in that order and
// rounded at every step, so that all instruction sets give the same bits.
void MixRow(const Row* rows, const Weighting& weighting, int64_t W,
            float* out);
// The same, rounded to bfloat16.
void MixRow(const Row* rows, const Weighting& weighting, int64_t W,
            uint16_t* out);

}  // namespace rcj::augmix

#endif  // RCJ_AUGMIX_MIX_ROW_H_
