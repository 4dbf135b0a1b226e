// Operations that give each value a new one, equal to Pillow's.
#ifndef RCJ_AUGMIX_GPU_TABLE_H_
#define RCJ_AUGMIX_GPU_TABLE_H_

#include <cstdint>

#include "augmix/gpu/chain.h"
#include "augmix/gpu/pixel.h"

namespace rcj::augmix_gpu {

// What the operations need of a channel's histogram.
struct Summary {
  uint32_t below[256];  // pixels of smaller values
  int low, high;        // of all values
  uint32_t highest;     // pixels of the value `high`
};

// Turns the histogram in summary.below into a summary.
RCJ_BOTH void Summarise(Summary& summary) {
  uint32_t total = 0;
  summary.low = 255;
  summary.high = 0;
  for (int v = 0; v < 256; ++v) {
    const uint32_t count = summary.below[v];
    summary.below[v] = total;
    total += count;
    if (!count) continue;
    if (v < summary.low) summary.low = v;
    summary.high = v;
    summary.highest = count;
  }
}

RCJ_BOTH int Autocontrast(const Summary& summary, int v) {
  if (summary.high <= summary.low) return v;
  const double scale = 255.0 / (summary.high - summary.low);
  const double offset = -summary.low * scale;
  return Clamp(static_cast<int>(v * scale + offset), 0, 255);
}

RCJ_BOTH int Equalize(const Summary& summary, uint32_t pixels, int v) {
  const uint32_t step = (pixels - summary.highest) / 255;
  if (step == 0) return v;
  const uint32_t value = (step / 2 + summary.below[v]) / step;
  return value < 255 ? value : 255;
}

// The integer next to the mean grey.
RCJ_BOTH int MeanGrey(unsigned long long grey, uint64_t pixels) {
  return static_cast<int>((2 * grey + pixels) / (2 * pixels));
}

// The new value of v, 0..255, under a table operation.
RCJ_BOTH int NewValue(int op, double param, const Summary& summary,
                      unsigned long long grey, uint32_t pixels, int v) {
  const float factor = static_cast<float>(param);
  switch (op) {
    case kAutocontrast:
      return Autocontrast(summary, v);
    case kEqualize:
      return Equalize(summary, pixels, v);
    case kPosterize:
      return v >> (8 - Clamp(static_cast<int>(param), 0, 8))
                      << (8 - Clamp(static_cast<int>(param), 0, 8));
    case kSolarize:
      return v < static_cast<int>(param) ? v : 255 - v;
    case kContrast:
      return Blend(MeanGrey(grey, pixels), v, factor);
    case kBrightness:
      return Blend(0, v, factor);
    default:
      return v;
  }
}

}  // namespace rcj::augmix_gpu

#endif  // RCJ_AUGMIX_GPU_TABLE_H_
