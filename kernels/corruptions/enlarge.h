// Enlarging the middle of an image to its own size, as scipy's `zoom` of order
// 1 does: the corner pixels stay the corners.
#ifndef RCJ_CORRUPTIONS_ENLARGE_H_
#define RCJ_CORRUPTIONS_ENLARGE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "common/handlers.h"

namespace rcj {

inline ffi::Error CheckFactor(const char* name, double factor) {
  if (factor >= 1 && std::isfinite(factor)) return ffi::Error::Success();
  return ffi::Error::InvalidArgument(
      std::string(name) + ": what enlarges must be at least 1, got " +
      std::to_string(factor));
}

// A place between `low` and the next pixel of the original, and their weights.
struct Tap {
  double near, far;
  int64_t low;
};

// Where each pixel of one axis lies. Of the original, `first` to `last` are
// read, and the pixel after that with a weight of 0.
struct Axis {
  int64_t first, last;
  std::vector<Tap> taps;

  // factor: as CheckFactor has it.
  Axis(int64_t size, double factor) : taps(size) {
    const double crop = std::ceil(size / factor);
    const double enlarged = std::nearbyint(crop * factor);
    const double trim = std::floor((enlarged - size) / 2);
    const double step = enlarged > 1 ? (crop - 1) / (enlarged - 1) : 0;
    first = static_cast<int64_t>(std::floor((size - crop) / 2));
    last = first + static_cast<int64_t>(crop) - 1;
    for (int64_t i = 0; i < size; ++i) {
      const double at = std::clamp((trim + i) * step, 0.0, crop - 1);
      const double low = std::floor(at), way = at - low;
      taps[i] = {1 - way, way, first + static_cast<int64_t>(low)};
    }
  }
};

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_ENLARGE_H_
