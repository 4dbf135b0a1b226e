// Bilinear interpolation of bytes in float, which knows where it may be wrong.
#ifndef RCJ_AUGMIX_BILINEAR_H_
#define RCJ_AUGMIX_BILINEAR_H_

#include "common/simd.h"

#ifdef RCJ_SIMD

namespace rcj::augmix {

using simd::Bytes;
using simd::Floats;

// Ways between pixels are given in 2^-26 pixels.
constexpr int kWayBits = 26;

// The error of a value is less than this. Ways are off by 2^-25 and, as floats,
// by as much again, which moves a value by 255 times that on each axis; the
// rounded product of both ways adds 510 * 2^-24, and sums 3 * 2^-16.
constexpr float kDoubt = 1.5e-4f;

inline Floats Number(float value) { return RCJ_SIMD(set1_ps)(value); }

// Four vectors of the dwords of a vector of bytes, in the order in which
// unpacking twice leaves them: place i of vector k of a lane is byte 4 * k + i.
inline Bytes Pack(const Bytes dwords[4]) {
  return RCJ_SIMD(packus_epi16)(
      RCJ_SIMD(packs_epi32)(dwords[0], dwords[1]),
      RCJ_SIMD(packs_epi32)(dwords[2], dwords[3]));
}

// The ways between the taps of each pixel, and their product, over 2^16.
struct Ways {
  Floats x[4], y[4], both[4];

  // Vector k, of dwords.
  void Set(int k, Bytes across, Bytes down) {
    const Floats one = Number(1.0f / (1 << kWayBits));
    const Floats way = RCJ_SIMD(mul_ps)(RCJ_SIMD(cvtepi32_ps)(down), one);
    const Floats scale = Number(1.0f / 65536);
    x[k] = RCJ_SIMD(mul_ps)(RCJ_SIMD(cvtepi32_ps)(across),
                            RCJ_SIMD(mul_ps)(one, scale));
    y[k] = RCJ_SIMD(mul_ps)(way, scale);
    both[k] = RCJ_SIMD(mul_ps)(way, x[k]);
  }

  // The highest bit of a byte is set where a position is so near to a tap that
  // it may lie beyond: then other neighbours count, too.
  Bytes AtTaps() const {
    const Floats middle = Number(0.5f / 65536), sign = Number(-0.0f);
    const Floats most = Number(0.5f / 65536 - 0x1p-39f);
    const auto room = [&](Floats way) {
      const Floats off =
          RCJ_SIMD(andnot_ps)(sign, RCJ_SIMD(sub_ps)(way, middle));
      return Bytes(RCJ_SIMD(sub_ps)(most, off));
    };
    Bytes near[4];
    for (int k = 0; k < 4; ++k) near[k] = room(x[k]) | room(y[k]);
    return RCJ_SIMD(packs_epi16)(RCJ_SIMD(packs_epi32)(near[0], near[1]),
                                 RCJ_SIMD(packs_epi32)(near[2], near[3]));
  }
};

// The four neighbours of pixels.
struct Neighbours {
  Bytes upper_left, upper_right, lower_left, lower_right;

  // 0xff where all four are equal.
  Bytes Flat() const {
    return simd::Equal(upper_left, upper_right) &
           simd::Equal(upper_left, lower_left) &
           simd::Equal(upper_left, lower_right);
  }
};

// Truncated values, and what they would be if they were as much too high as
// they can be.
struct Estimate {
  Bytes values, others;

  bool Sure() const { return !simd::AnySet(values ^ others); }

  // A bit for each byte that is not known for sure.
  uint64_t Doubts(const Neighbours& n, const Ways& ways) const {
    constexpr uint64_t kAll = ~uint64_t{0} >> (64 - simd::kBytes);
    const Bytes flat = n.Flat() & ~ways.AtTaps();
    return ~simd::Mask(simd::Equal(values, others) | flat) & kAll;
  }
};

// Neighbours as 16-bit words: a value and how it changes.
struct Words {
  Bytes value, x, y, both;
};

template <int kHalf>
Words WordsOf(const Neighbours& n) {
  const auto less = [](Bytes a, Bytes b) { return RCJ_SIMD(sub_epi16)(a, b); };
  const Bytes value = simd::Widen<kHalf>(n.upper_left);
  const Bytes lower = simd::Widen<kHalf>(n.lower_left);
  const Bytes x = less(simd::Widen<kHalf>(n.upper_right), value);
  const Bytes across = less(simd::Widen<kHalf>(n.lower_right), lower);
  return {value, x, less(lower, value), less(across, x)};
}

// Vector k of values, kDoubt too low.
inline Floats LowEnd(const Words& words, const Ways& ways, int k) {
  // In the upper half of a dword a word is its own value times 2^16.
  const auto floats = [&](Bytes v) {
    return RCJ_SIMD(cvtepi32_ps)(k % 2 ? RCJ_SIMD(unpackhi_epi16)(Bytes{}, v)
                                       : RCJ_SIMD(unpacklo_epi16)(Bytes{}, v));
  };
  Floats sum =
      RCJ_SIMD(fmsub_ps)(floats(words.both), ways.both[k], Number(kDoubt));
  sum = RCJ_SIMD(fmadd_ps)(floats(words.y), ways.y[k], sum);
  sum = RCJ_SIMD(fmadd_ps)(floats(words.x), ways.x[k], sum);
  return RCJ_SIMD(fmadd_ps)(floats(words.value), Number(1.0f / 65536), sum);
}

inline Estimate Interpolate(const Neighbours& n, const Ways& ways) {
  const Words words[2] = {WordsOf<0>(n), WordsOf<1>(n)};
  Bytes high[4], low[4];
  for (int k = 0; k < 4; ++k) {
    const Floats end = LowEnd(words[k / 2], ways, k);
    low[k] = RCJ_SIMD(cvttps_epi32)(end);
    high[k] =
        RCJ_SIMD(cvttps_epi32)(RCJ_SIMD(add_ps)(end, Number(2 * kDoubt)));
  }
  return {Pack(high), Pack(low)};
}

}  // namespace rcj::augmix

#endif  // RCJ_SIMD
#endif  // RCJ_AUGMIX_BILINEAR_H_
