// Picks out the keys of a range.
#ifndef RCJ_SELECT_COMPACT_H_
#define RCJ_SELECT_COMPACT_H_

#include <cstdint>

#include "common/simd.h"
#include "select/keys.h"
#include "select/run.h"

namespace rcj {

// Keys from the least to the greatest, both included.
struct Range {
  int32_t least, greatest;
};

// Of the keys of a run, how many are in a range, and how many above it.
struct Found {
  int64_t inside, above;
};

#if defined(__AVX512BW__)
inline __m512i ToKeys(const float* from) {
  const __m512i bits = simd::Load(from), ones = _mm512_set1_epi32(-1);
  const __m512i sign = _mm512_srai_epi32(bits, 31);
  const __m512i folded = bits ^ _mm512_srli_epi32(sign, 1);
  return _mm512_mask_sub_epi32(folded, _mm512_cmpeq_epi32_mask(folded, ones),
                               folded, ones);
}

inline __m512i ToKeys(const int32_t* from) { return simd::Load(from); }

// Looks at whole vectors of a run from its start on; returns how many values.
template <class T>
int64_t CompactVectors(const Run<T>& run, Range range, int32_t* to,
                       Found& found) {
  const __m512i least = _mm512_set1_epi32(range.least);
  const __m512i greatest = _mm512_set1_epi32(range.greatest);
  int64_t i = 0;
  for (; i + simd::kFloats <= run.count; i += simd::kFloats) {
    const __m512i keys = ToKeys(run.values + i);
    const __mmask16 above = _mm512_cmpgt_epi32_mask(keys, greatest);
    const __mmask16 inside =
        _mm512_mask_cmpge_epi32_mask(~above, keys, least);
    found.above += __builtin_popcount(above);
    if (inside == 0) continue;
    simd::Store(to + found.inside, _mm512_maskz_compress_epi32(inside, keys));
    found.inside += __builtin_popcount(inside);
  }
  return i;
}
#elif defined(__AVX2__)
inline __m256i ToKeys(const float* from) {
  const __m256i bits = simd::Load(from), ones = _mm256_set1_epi32(-1);
  const __m256i sign = _mm256_srai_epi32(bits, 31);
  const __m256i folded = bits ^ _mm256_srli_epi32(sign, 1);
  return _mm256_sub_epi32(folded, _mm256_cmpeq_epi32(folded, ones));
}

inline __m256i ToKeys(const int32_t* from) { return simd::Load(from); }

inline uint32_t SignBits(__m256i v) {
  return _mm256_movemask_ps(_mm256_castsi256_ps(v));
}

// Looks at whole vectors of a run from its start on; returns how many values.
template <class T>
int64_t CompactVectors(const Run<T>& run, Range range, int32_t* to,
                       Found& found) {
  const __m256i least = _mm256_set1_epi32(range.least);
  const __m256i greatest = _mm256_set1_epi32(range.greatest);
  int64_t i = 0;
  for (; i + simd::kFloats <= run.count; i += simd::kFloats) {
    const __m256i keys = ToKeys(run.values + i);
    const __m256i above = _mm256_cmpgt_epi32(keys, greatest);
    const __m256i below = _mm256_cmpgt_epi32(least, keys);
    found.above += __builtin_popcount(SignBits(above));
    const uint64_t inside = SignBits(above | below) ^ 0xFF;
    if (inside == 0) continue;
    // A byte per key, then the places of those inside, side by side.
    const uint64_t bytes = _pdep_u64(inside, 0x0101010101010101) * 0xFF;
    const uint64_t places = _pext_u64(0x0706050403020100, bytes);
    const __m256i order = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(places));
    simd::Store(to + found.inside, _mm256_permutevar8x32_epi32(keys, order));
    found.inside += __builtin_popcountll(inside);
  }
  return i;
}
#else
template <class T>
int64_t CompactVectors(const Run<T>&, Range, int32_t*, Found&) {
  return 0;
}
#endif

// Writes those keys of a run that are in the range, and anything behind them up
// to the length of the run.
template <class T>
Found Compact(const Run<T>& run, Range range, int32_t* to) {
  Found found{0, 0};
  for (int64_t i = CompactVectors(run, range, to, found); i < run.count; ++i) {
    const int32_t key = ToKey(run.values[i]);
    to[found.inside] = key;
    found.inside += key >= range.least && key <= range.greatest;
    found.above += key > range.greatest;
  }
  return found;
}

}  // namespace rcj

#endif  // RCJ_SELECT_COMPACT_H_
