#include "network/newer.h"

#if RCJ_LANES == 16 && defined(__AVX512BW__)
// Nothing outside of this file is compiled so: the loops are in no namespace
// that others see.
#pragma GCC target("avx512vnni,avx512bf16")
#include "network/loops.h"

namespace rcj::network {
namespace {

struct OfQuads {
  static RCJ_INLINE void Add(Line* sum, Line x, Line w) {
    *sum = (Line)_mm512_dpbusd_epi32((__m512i)*sum, (__m512i)x, (__m512i)w);
  }
};

struct OfHalfPairs {
  static RCJ_INLINE void Add(Line* sum, Line x, Line w) {
    *sum =
        (Line)_mm512_dpbf16_ps((__m512)*sum, (__m512bh)x, (__m512bh)w);
  }
};

}  // namespace

const Cores* NewerCores(Unit unit) {
  __builtin_cpu_init();
  if (unit == Unit::kQuad && __builtin_cpu_supports("avx512vnni")) {
    return &CoresFor<OfQuads>::kCores;
  }
  if (unit == Unit::kHalfPair && __builtin_cpu_supports("avx512bf16")) {
    return &CoresFor<OfHalfPairs>::kCores;
  }
  return nullptr;
}

}  // namespace rcj::network

#else

namespace rcj::network {

const Cores* NewerCores(Unit) { return nullptr; }

}  // namespace rcj::network

#endif
