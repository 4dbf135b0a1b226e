#include "augmix/mix_row.h"

#include <algorithm>
#include <cstring>

namespace rcj::augmix {
namespace {

#ifdef RCJ_SIMD

using simd::Bytes;
using simd::Floats;
using simd::kFloats;

constexpr int kPixels = 16;                // at a time
constexpr int kGroups = kPixels / kFloats;  // of pixels that fill a vector

// A group's kFloats pixels become three vectors of interleaved channels. Place
// s of vector j holds channel (kFloats * j + s) % 3, so that each place of a
// channel's own vector goes to one of the three: where its pixels have been
// ordered accordingly when they were loaded, two blends per vector finish it.
struct Orders {
  alignas(64) uint8_t of[kGroups][3][simd::kBytes];

  constexpr Orders() : of() {
    for (int g = 0; g < kGroups; ++g) {
      for (int c = 0; c < 3; ++c) {
        for (int i = 0; i < kFloats; ++i) {
          const int place = (3 * i + c) % kFloats;
          for (int b = 0; b < 4; ++b) of[g][c][4 * place + b] = 0x80;
          of[g][c][4 * place] = kFloats * g + i;
        }
      }
    }
  }
};

constexpr Orders kOrders;

// The places of channel c in vector j.
constexpr int Places(int c, int j) {
  int mask = 0;
  for (int s = 0; s < kFloats; ++s) {
    mask |= ((kFloats * j + s) % 3 == c) << s;
  }
  return mask;
}

template <int kVector>
Floats Interleaved(const Floats channels[3]) {
  const Floats two =
      simd::Blend<Places(1, kVector)>(channels[0], channels[1]);
  return simd::Blend<Places(2, kVector)>(two, channels[2]);
}

// Mixes kPixels pixels of kCount layers, of any number if that is 0.
template <int kCount, class T>
inline void MixPixels(const Row* rows, const Weighting& weighting, int64_t x,
                      T* out) {
  const int64_t count = kCount ? kCount : weighting.count;
  Floats sums[kGroups][3];
  for (int g = 0; g < kGroups; ++g) {
    for (int c = 0; c < 3; ++c) {
      sums[g][c] = RCJ_SIMD(set1_ps)(weighting.offset[c]);
    }
  }
#pragma GCC unroll 4
  for (int64_t i = 0; i < count; ++i) {
    for (int c = 0; c < 3; ++c) {
      const Bytes bytes = simd::Repeat16(rows[i].of[c] + x);
      const Floats factor = simd::LoadFloats(weighting.factors[i].of[c]);
      for (int g = 0; g < kGroups; ++g) {
        const Bytes values = RCJ_SIMD(shuffle_epi8)(
            bytes, simd::Load(kOrders.of[g][c]));
        const Floats product =
            RCJ_SIMD(mul_ps)(factor, RCJ_SIMD(cvtepi32_ps)(values));
        sums[g][c] = RCJ_SIMD(add_ps)(sums[g][c], product);
      }
    }
  }
  for (int g = 0; g < kGroups; ++g, out += 3 * kFloats) {
    simd::StoreFloats(out, Interleaved<0>(sums[g]));
    simd::StoreFloats(out + kFloats, Interleaved<1>(sums[g]));
    simd::StoreFloats(out + 2 * kFloats, Interleaved<2>(sums[g]));
  }
}

template <int kCount, class T>
void MixRowOf(const Row* rows, const Weighting& weighting, int64_t W, T* out) {
  int64_t x = 0;
  for (; x + kPixels <= W; x += kPixels) {
    MixPixels<kCount>(rows, weighting, x, out + 3 * x);
  }
  if (x == W) return;
  T rest[3 * kPixels];
  MixPixels<kCount>(rows, weighting, x, rest);
  std::memcpy(out + 3 * x, rest, 3 * (W - x) * sizeof(T));
}

template <class T>
void MixAnyRow(const Row* rows, const Weighting& weighting, int64_t W, T* out) {
  switch (weighting.count) {
    case 1:
      return MixRowOf<1>(rows, weighting, W, out);
    case 4:  // AugMix's three chains
      return MixRowOf<4>(rows, weighting, W, out);
    default:
      return MixRowOf<0>(rows, weighting, W, out);
  }
}

#else

void Put(float value, float* to) { *to = value; }

// As bfloat16, rounded to nearest even.
void Put(float value, uint16_t* to) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  *to = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

template <class T>
void MixAnyRow(const Row* rows, const Weighting& weighting, int64_t W, T* out) {
  constexpr int64_t kPixels = 64;  // at a time
  for (int64_t x = 0; x < W; x += kPixels) {
    const int64_t n = std::min(W - x, kPixels);
    float sums[3][kPixels];
    for (int c = 0; c < 3; ++c) {
      std::fill_n(sums[c], n, weighting.offset[c]);
      for (int64_t i = 0; i < weighting.count; ++i) {
        const float factor = weighting.factors[i].of[c][0];
        const uint8_t* values = rows[i].of[c] + x;
        for (int64_t p = 0; p < n; ++p) sums[c][p] += factor * values[p];
      }
    }
    for (int64_t p = 0; p < n; ++p, out += 3) {
      for (int c = 0; c < 3; ++c) Put(sums[c][p], out + c);
    }
  }
}

#endif

}  // namespace

void MixRow(const Row* rows, const Weighting& weighting, int64_t W,
            float* out) {
  MixAnyRow(rows, weighting, W, out);
}

void MixRow(const Row* rows, const Weighting& weighting, int64_t W,
            uint16_t* out) {
  MixAnyRow(rows, weighting, W, out);
}

}  // namespace rcj::augmix
