// Gaussian blur as scipy sums it, the border repeated.
#ifndef RCJ_CORRUPTIONS_GAUSSIAN_H_
#define RCJ_CORRUPTIONS_GAUSSIAN_H_

#include <algorithm>
#include <type_traits>

#include "corruptions/operands.h"
#include "corruptions/quad.h"
#include "corruptions/scratch.h"

namespace rcj {

// The right half of a kernel, its centre first: weights half[0..reach].
struct Bell {
  const double* half;
  int64_t reach;
};

inline ffi::Error CheckBell(const char* name, const Reals& half,
                            const Integer& reach) {
  return CheckRange(name, "the reach of the kernel", reach, 0,
                    half.dimensions()[0] - 1);
}

// total[i] = the sum over k of weight |k| times lines[k][i], -reach <= k <=
// reach, in pairs from the far ends inwards after the centre. Reads and writes
// up to a multiple of kBlock.
inline void WeighPairs(const double* const* lines, const Bell& bell,
                       int64_t begin, int64_t end, double* total) {
  const double* half = bell.half;
  const int64_t reach = bell.reach;
  for (int64_t i = begin; i < end; i += kBlock) {
    const double* line = lines[0] + i;
    const double centre = half[0];
    Double4 p = Four(line) * centre;
    Double4 q = Four(line + 4) * centre;
    Double4 r = Four(line + 8) * centre;
    Double4 s = Four(line + 12) * centre;
    for (int64_t k = reach; k > 0; --k) {
      const double *low = lines[-k] + i, *high = lines[k] + i;
      const double w = half[k];
      p += (Four(low) + Four(high)) * w;
      q += (Four(low + 4) + Four(high + 4)) * w;
      r += (Four(low + 8) + Four(high + 8)) * w;
      s += (Four(low + 12) + Four(high + 12)) * w;
    }
    Four(total + i) = p;
    Four(total + i + 4) = q;
    Four(total + i + 8) = r;
    Four(total + i + 12) = s;
  }
}

// Blurs the height, then the width, of values[height][width * channels] and
// calls sink(y, row) for each row of the result; T is the type that holds what
// the first of the two gives. Reads kBlock values more than there are.
template <class T, class Sink>
void Smooth(const double* values, int64_t height, int64_t width,
            int64_t channels, const Bell& bell, Scratch& scratch,
            const Sink& sink) {
  // So many rows, in pieces so wide that all they need stays in the L1 cache.
  constexpr int64_t kRows = 8, kPiece = 5 * kBlock;
  const int64_t reach = bell.reach, count = width * channels;
  const int64_t margin = reach * channels;
  const int64_t stride = count + 2 * margin + kBlock;
  double* rows = scratch.Take<double>(kRows * stride);
  double* result = scratch.Take<double>(count + kBlock);
  const auto** down = scratch.Take<const double*>(height + 2 * reach) + reach;
  const auto** right = scratch.Take<const double*>(2 * reach + 1) + reach;
  for (int64_t y = -reach; y < height + reach; ++y) {
    down[y] = values + std::clamp<int64_t>(y, 0, height - 1) * count;
  }
  for (int64_t top = 0; top < height; top += kRows) {
    const int64_t some = std::min(kRows, height - top);
    for (int64_t left = 0; left < count; left += kPiece) {
      for (int64_t y = 0; y < some; ++y) {
        WeighPairs(down + top + y, bell, left, std::min(left + kPiece, count),
                   rows + y * stride + margin);
      }
    }
    for (int64_t y = 0; y < some; ++y) {
      double* row = rows + y * stride + margin;
      if constexpr (!std::is_same_v<T, double>) {
        for (int64_t i = 0; i < count; ++i) row[i] = static_cast<T>(row[i]);
      }
      for (int64_t i = 0; i < margin; ++i) {
        row[i - margin] = row[i % channels];
        row[count + i] = row[count - channels + i % channels];
      }
      for (int64_t k = -reach; k <= reach; ++k) right[k] = row + k * channels;
      WeighPairs(right, bell, 0, count, result);
      sink(top + y, static_cast<const double*>(result));
    }
  }
}

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_GAUSSIAN_H_
