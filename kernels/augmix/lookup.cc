#include "augmix/lookup.h"

#include "common/simd.h"

namespace rcj::augmix {
namespace {

#ifdef RCJ_SIMD

using simd::Bytes;

// Bit 4 + kLevel of an index chooses between both halves of a part of the
// table; a shuffle looks up the lowest four bits in 16 entries.
template <int kLevel>
inline __attribute__((always_inline)) Bytes Choose(const uint8_t* table,
                                                   Bytes index,
                                                   const Bytes* bits) {
  if constexpr (kLevel < 0) {
    return RCJ_SIMD(shuffle_epi8)(simd::Repeat16(table), index);
  } else {
    constexpr int kHalf = 16 << kLevel;
    const Bytes low = Choose<kLevel - 1>(table, index, bits);
    const Bytes high = Choose<kLevel - 1>(table + kHalf, index, bits);
    return simd::Blend(low, high, bits[kLevel]);
  }
}

void LookUpByShuffles(const uint8_t* table, const uint8_t* from, int64_t n,
                      uint8_t* to) {
  const Bytes low = RCJ_SIMD(set1_epi8)(15);
  for (int64_t i = 0; i < n; i += simd::kBytes) {
    const Bytes index = simd::Load(from + i);
    // The chosen bit as the highest of its byte, where `Blend` looks.
    const Bytes bits[4] = {RCJ_SIMD(slli_epi16)(index, 3),
                           RCJ_SIMD(slli_epi16)(index, 2),
                           RCJ_SIMD(slli_epi16)(index, 1), index};
    simd::Store(to + i, Choose<3>(table, index & low, bits));
  }
}

#endif

#ifdef __AVX512BW__

// One instruction looks up 128 entries where the processor has VBMI.
__attribute__((target("avx512vbmi"))) void LookUpByPermutations(
    const uint8_t* table, const uint8_t* from, int64_t n, uint8_t* to) {
  const Bytes t0 = simd::Load(table), t1 = simd::Load(table + 64);
  const Bytes t2 = simd::Load(table + 128), t3 = simd::Load(table + 192);
  for (int64_t i = 0; i < n; i += simd::kBytes) {
    const Bytes index = simd::Load(from + i);
    const Bytes low = _mm512_permutex2var_epi8(t0, index, t1);
    const Bytes high = _mm512_permutex2var_epi8(t2, index, t3);
    simd::Store(to + i, simd::Blend(low, high, index));
  }
}

bool HasPermutations() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512vbmi");
}

#endif

}  // namespace

void LookUp(const uint8_t table[256], const uint8_t* from, int64_t n,
            uint8_t* to) {
#ifdef __AVX512BW__
  static const bool kPermutations = HasPermutations();
  if (kPermutations) {
    LookUpByPermutations(table, from, n, to);
    return;
  }
#endif
#ifdef RCJ_SIMD
  LookUpByShuffles(table, from, n, to);
#else
  for (int64_t i = 0; i < n; ++i) to[i] = table[from[i]];
#endif
}

}  // namespace rcj::augmix
