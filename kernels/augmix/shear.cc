#include <cstring>

#include "augmix/share.h"
#include "augmix/warps.h"
#include "common/simd.h"

namespace rcj::augmix {
namespace {

// to[i] becomes the value `share` of the way from from[i] to from[i + 1];
// writes up to a vector more.
void MoveRow(const uint8_t* from, int64_t n, uint16_t share, uint8_t* to) {
  // As a signed number a large share is one less, which starting from the
  // other end makes good.
  const bool large = share >> 15;
#ifdef RCJ_SIMD
  using simd::Bytes;
  const Bytes multiplier = RCJ_SIMD(set1_epi16)(static_cast<int16_t>(share));
  const auto moved = [&](Bytes low, Bytes high) {
    const Bytes difference = RCJ_SIMD(sub_epi16)(high, low);
    return RCJ_SIMD(add_epi16)(large ? high : low,
                               RCJ_SIMD(mulhi_epi16)(difference, multiplier));
  };
  for (int64_t i = 0; i < n; i += simd::kBytes) {
    const Bytes low = simd::Load(from + i), high = simd::Load(from + i + 1);
    const Bytes first = moved(simd::Widen<0>(low), simd::Widen<0>(high));
    const Bytes second = moved(simd::Widen<1>(low), simd::Widen<1>(high));
    simd::Store(to + i, RCJ_SIMD(packus_epi16)(first, second));
  }
#else
  const int multiplier = static_cast<int16_t>(share);
  for (int64_t i = 0; i < n; ++i) {
    const int low = from[i], high = from[i + 1];
    to[i] = (large ? high : low) + ((high - low) * multiplier >> 16);
  }
#endif
}

// One row of a shear: output i shows the input at `line`.
struct Move {
  Line line;
  Interval inside;
  Share share;

  Move(double shift, int64_t W)
      : line{1, shift, 0},
        inside(Inside(line, W, W)),
        share(shift - std::floor(shift)) {}

  void Apply(const uint8_t* from, int64_t W, uint8_t* to) const {
    const auto [begin, end] = inside;
    if (begin == end) {
      std::memset(to, 0, W);
      return;
    }
    std::memset(to, 0, begin);
    if (share.exact) {
      const int64_t whole = std::floor(line.start);
      MoveRow(from + begin + whole, end - begin, share.multiplier, to + begin);
    } else {
      for (int64_t i = begin; i < end; ++i) {
        const Taps taps(line.At(i), W);
        to[i] = Between(from[taps.low], from[taps.high], taps.way);
      }
    }
    std::memset(to + end, 0, W - end);
  }
};

void ShearRows(const Image& from, const Image& to, double factor) {
  for (int c = 0; c < 3; ++c) Pad(from, c);
  for (int64_t y = 0; y < from.H; ++y) {
    const Move move((y + 0.5) * factor, from.W);
    for (int c = 0; c < 3; ++c) {
      move.Apply(from.Row(c, y), from.W, to.Row(c, y));
    }
  }
}

}  // namespace

void ShearX(const Image& from, const Image& to, double factor) {
  ShearRows(from, to, factor);
}

void ShearY(const Image& from, const Image& to, double factor,
            const Image turned[2]) {
  for (int c = 0; c < 3; ++c) Transpose(from, turned[0], c);
  ShearRows(turned[0], turned[1], factor);
  for (int c = 0; c < 3; ++c) Transpose(turned[1], to, c);
}

}  // namespace rcj::augmix
