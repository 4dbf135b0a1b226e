// The operations that move pixels, equal to Pillow's to the last bit.
//
// The centre of every output pixel is mapped back in double precision; there
// the image is interpolated bilinearly and truncated, and black outside it.
#ifndef RCJ_AUGMIX_WARPS_H_
#define RCJ_AUGMIX_WARPS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "augmix/image.h"

namespace rcj::augmix {

constexpr int kMaxDegrees = 30;

// Positions along a row, rounded as Pillow rounds them.
struct Line {
  double slope, start, shift;

  double At(int64_t i) const { return ((i + 0.5) * slope + start) + shift; }
};

// The pixels begin <= i < end.
struct Interval {
  int64_t begin, end;
};

// The first i of 0..n for which `reached` holds, which holds from there on.
template <class Reached>
int64_t First(double guess, int64_t n, const Reached& reached) {
  int64_t i = std::clamp(guess, 0.0, static_cast<double>(n));
  while (i > 0 && reached(i - 1)) --i;
  while (i < n && !reached(i)) ++i;
  return i;
}

// The i of 0..n-1 whose positions lie in [0, size).
inline Interval Inside(const Line& line, int64_t n, double size) {
  const double slope = line.slope, origin = line.At(0);
  const auto reaches = [&](double bound) {
    return First((bound - origin) / slope, n, [&](int64_t i) {
      return (line.At(i) >= bound) == (slope > 0);
    });
  };
  const int64_t begin = reaches(slope > 0 ? 0 : size);
  return {begin, std::max(begin, reaches(slope > 0 ? size : 0))};
}

// The pixels on both sides of a position inside an image of that size, and the
// way from one to the other.
struct Taps {
  int64_t low, high;
  double way;

  Taps(double at, int64_t size) {
    const double from = at - 0.5;
    int64_t floor = from;
    floor -= from < floor;
    low = std::max<int64_t>(floor, 0);
    high = std::min<int64_t>(floor + 1, size - 1);
    way = from - floor;
  }
};

inline double Between(double low, double high, double way) {
  return low + (high - low) * way;
}

// Each writes all of `to`, whose planes are not those of `from`, and may write
// the margins of both.
void TranslateX(const Image& from, const Image& to, double pixels);
void TranslateY(const Image& from, const Image& to, double pixels);
void ShearX(const Image& from, const Image& to, double factor);
// `turned` are two images to work in, with rows and columns swapped.
void ShearY(const Image& from, const Image& to, double factor,
            const Image turned[2]);
void Rotate(const Image& from, const Image& to, int degrees);

}  // namespace rcj::augmix

#endif  // RCJ_AUGMIX_WARPS_H_
