// A share of a difference of bytes, truncated, by one 16-bit multiplication.
#ifndef RCJ_AUGMIX_SHARE_H_
#define RCJ_AUGMIX_SHARE_H_

#include <algorithm>
#include <cstdint>

namespace rcj::augmix {

// For a share d in [0, 1): floor(i * d) == i * multiplier >> 16 for all
// |i| <= 255, if `exact`.
//
// Such a multiplier exists for every d. floor(i * d) changes, as a function of
// d, at the fractions with denominators up to 255; they lie at least
// 1 / (255 * 254) apart, which is more than 1 / 65536. So each of the intervals
// [k, k + 1) / 65536 has at most one of them: d is either on the same side of
// it as k, or as k + 1. Only where d is so near to a fraction that the rounding
// of positions and pixels to double could decide is this not `exact`.
struct Share {
  uint16_t multiplier;
  bool exact;

  explicit Share(double d);
};

// Of every denominator up to 255, these have a multiple.
struct Denominators {
  uint16_t of[128];

  constexpr Denominators() : of() {
    for (int i = 0; i < 128; ++i) of[i] = 128 + i;
  }
};

inline Share::Share(double d) {
  static constexpr Denominators kDenominators;
  const double scaled = d * 65536;
  exact = scaled < 65536;
  multiplier = exact ? static_cast<uint16_t>(scaled) : 0;
  if (!exact || scaled == multiplier) return;
  const uint16_t k = multiplier, rest = (scaled - k) * 65536;
  // The fraction of q * d, in 65536ths, is `fraction` or, at most, two more.
  uint16_t passed = 0, least = 65535;
  for (const uint16_t q : kDenominators.of) {
    const uint16_t start = q * k, step = (uint32_t{q} * rest) >> 16;
    const uint16_t fraction = start + step;
    passed |= fraction < start ? 65535 : 0;
    least = std::min<uint16_t>(least, fraction + 2);
  }
  exact = least > 2;
  // A multiple of 512 is itself a fraction with denominator 128 or less, where
  // floor(-i * d) changes just above.
  if (passed || k % 512 == 0) ++multiplier;
}

}  // namespace rcj::augmix

#endif  // RCJ_AUGMIX_SHARE_H_
