// The blur of a moving camera, as ImageMagick computes it at 16 bits.
#ifndef RCJ_CORRUPTIONS_STREAK_H_
#define RCJ_CORRUPTIONS_STREAK_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "corruptions/image.h"
#include "corruptions/operands.h"
#include "corruptions/quad.h"
#include "corruptions/scratch.h"

namespace rcj {

// Weights along a line.
struct Line {
  const double* weights;
  int64_t length;
};

inline ffi::Error CheckLine(const char* name, const Reals& kernel,
                            const Integer& length) {
  return CheckRange(name, "the length of the kernel", length, 1,
                    kernel.dimensions()[0]);
}

inline ffi::Error CheckAngles(const char* name, const Reals& angles,
                              const Images& images) {
  if (!Fits(angles, images, 1)) {
    return Misfit(name, "angle f64[N]", angles, images);
  }
  for (int64_t i = 0; i < angles.dimensions()[0]; ++i) {
    if (!std::isfinite(angles.typed_data()[i])) {
      return ffi::Error::InvalidArgument(std::string(name) + ": angle " +
                                         std::to_string(i) + " is not finite");
    }
  }
  return ffi::Error::Success();
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

// Rows of bytes as doubles, with `before` and `after` more pixels, which repeat
// those at the border.
inline void Widen(const uint8_t* pixels, int64_t height, int64_t width,
                  int64_t channels, int64_t before, int64_t after,
                  double* to) {
  const int64_t count = width * channels;
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* from = pixels + y * count;
    for (int64_t x = 0; x < before; ++x) {
      to = std::copy_n(from, channels, to);
    }
    to = std::copy_n(from, count, to);
    for (int64_t x = 0; x < after; ++x) {
      to = std::copy_n(from + count - channels, channels, to);
    }
  }
}

// Sums pixels[height][width][channels] along a line that starts at each pixel
// and goes `degrees` clockwise from the right, the border repeated.
inline void Streak(const uint8_t* pixels, int64_t height, int64_t width,
                   int64_t channels, double degrees, const Line& line,
                   Scratch& scratch, uint8_t* result) {
  const double radians = degrees * (M_PI / 180);
  const auto steps = [](int64_t k, double way) {
    return static_cast<int64_t>(std::ceil(k * way - 0.5));
  };
  const double right = std::cos(radians), down = std::sin(radians);
  const int64_t last = steps(line.length - 1, right);
  const int64_t before = std::max<int64_t>(0, -last);
  const int64_t after = std::max<int64_t>(0, last);
  const int64_t count = width * channels;
  const int64_t stride = (before + width + after) * channels;
  double* rows = scratch.Take<double>(height * stride + kBlock);
  Widen(pixels, height, width, channels, before, after, rows);
  const auto** from = scratch.Take<const double*>(line.length);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t k = 0; k < line.length; ++k) {
      const int64_t seen =
          std::clamp<int64_t>(y + steps(k, down), 0, height - 1);
      from[k] =
          rows + seen * stride + (before + steps(k, right)) * channels;
    }
    uint8_t* to = result + y * count;
    for (int64_t left = 0; left < count; left += kBlock) {
      double total[kBlock];
      Weigh(from, left, line, total);
      for (int64_t i = 0; i < std::min(kBlock, count - left); ++i) {
        // Rounded at 16 bits per value, where 255 is 65535, then truncated.
        const auto word = static_cast<int32_t>(257 * total[i] + 0.5);
        to[left + i] = static_cast<uint8_t>(word / 257);
      }
    }
  }
}

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_STREAK_H_
