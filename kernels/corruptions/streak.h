// The blur of a moving camera, as ImageMagick computes it at 16 bits.
#ifndef RCJ_CORRUPTIONS_STREAK_H_
#define RCJ_CORRUPTIONS_STREAK_H_

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "corruptions/image.h"
#include "corruptions/quad.h"
#include "corruptions/scratch.h"

namespace rcj {

using StreakKernel = ffi::BufferR1<ffi::F64>;

// Weights along a line.
struct Line {
  const double* weights;
  int64_t length;
};

inline ffi::Error CheckLine(const char* name, const StreakKernel& kernel,
                            const ffi::BufferR0<ffi::S32>& length) {
  const int64_t room = kernel.dimensions()[0], found = *length.typed_data();
  if (found >= 1 && found <= room) return ffi::Error::Success();
  return ffi::Error::InvalidArgument(
      std::string(name) + ": the length of a kernel f64" + Shape(kernel) +
      " must be 1 to " + std::to_string(room) + ", got " +
      std::to_string(found));
}

// total[i] = the sum of weights[k] * from[k][i], in the order of k, of kBlock
// values i.
inline void Weigh(const double* const* from, int64_t begin, const Line& line,
                  double* total) {
  Double4 p{}, q{}, r{}, s{};
  for (int64_t k = 0; k < line.length; ++k) {
    const double *seen = from[k] + begin, weight = line.weights[k];
    p += Four(seen) * weight;
    q += Four(seen + 4) * weight;
    r += Four(seen + 8) * weight;
    s += Four(seen + 12) * weight;
  }
  Four(total) = p;
  Four(total + 4) = q;
  Four(total + 8) = r;
  Four(total + 12) = s;
}

// Sums pixels[height][width][channels] along a line that starts at each pixel
// and goes `degrees` clockwise from the right, the border repeated.
inline void Streak(const uint8_t* pixels, int64_t height, int64_t width,
                   int64_t channels, double degrees, const Line& line,
                   Scratch& scratch, uint8_t* result) {
  const double radians = degrees * (M_PI / 180);
  const double right = std::cos(radians), down = std::sin(radians);
  auto* x = scratch.Take<int64_t>(line.length);
  auto* y = scratch.Take<int64_t>(line.length);
  for (int64_t k = 0; k < line.length; ++k) {
    x[k] = static_cast<int64_t>(std::ceil(k * right - 0.5));
    y[k] = static_cast<int64_t>(std::ceil(k * down - 0.5));
  }
  const int64_t before = -std::min<int64_t>(0, x[line.length - 1]);
  const int64_t after = std::max<int64_t>(0, x[line.length - 1]);
  const int64_t count = width * channels;
  const int64_t padded = (before + width + after) * channels;
  auto* rows = scratch.Take<double>(height * padded + kBlock);
  for (int64_t row = 0; row < height; ++row) {
    const uint8_t* from = pixels + row * count;
    double* to = rows + row * padded;
    for (int64_t i = 0; i < before * channels; ++i) to[i] = from[i % channels];
    to += before * channels;
    for (int64_t i = 0; i < count; ++i) to[i] = from[i];
    for (int64_t i = 0; i < after * channels; ++i) {
      to[count + i] = from[count - channels + i % channels];
    }
  }
  // So many rows, in pieces so wide that all they need stays in the L1 cache.
  constexpr int64_t kRows = 8;
  auto* from = scratch.Take<const double*>(line.length * kRows);
  double total[kBlock];
  for (int64_t top = 0; top < height; top += kRows) {
    const int64_t some = std::min(kRows, height - top);
    for (int64_t row = 0; row < some; ++row) {
      for (int64_t k = 0; k < line.length; ++k) {
        const int64_t seen = std::clamp<int64_t>(top + row + y[k], 0, height - 1);
        from[row * line.length + k] = rows + seen * padded + (before + x[k]) * channels;
      }
    }
    for (int64_t left = 0; left < count; left += kBlock) {
      const int64_t wide = std::min<int64_t>(kBlock, count - left);
      for (int64_t row = 0; row < some; ++row) {
        Weigh(from + row * line.length, left, line, total);
        uint8_t* to = result + (top + row) * count + left;
        for (int64_t i = 0; i < wide; ++i) {
          // Rounded at 16 bits per value, where 255 is 65535, then truncated.
          const auto word = static_cast<int32_t>(257 * total[i] + 0.5);
          to[i] = static_cast<uint8_t>(word / 257);
        }
      }
    }
  }
}

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_STREAK_H_
