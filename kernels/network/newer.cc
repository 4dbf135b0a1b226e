#include "network/newer.h"

#if defined(__AVX512BW__) && !defined(__clang__)  // which lacks the pragma
#define RCJ_NEWER RCJ_LANES == 16
#else
#define RCJ_NEWER 0
#endif

#if RCJ_NEWER
// Nothing outside of this file is compiled so: the loops are in no namespace
// that others see.
#pragma GCC target("avx512vnni,avx512bf16")
#endif
#include "network/loops.h"

// Tests build the loops in plain C++ too.
#if RCJ_NEWER || defined(RCJ_PLAIN_UNITS)

namespace rcj::network {
namespace {

struct OfQuads {
  static RCJ_INLINE void Add(Line* sum, Line x, Line w) {
#ifdef RCJ_PLAIN_UNITS
    for (int j = 0; j < 32; j += 8) {
      *sum += ((x >> j) & 255) * ((w << (24 - j)) >> 24);
    }
#else
    *sum = (Line)_mm512_dpbusd_epi32((__m512i)*sum, (__m512i)x, (__m512i)w);
#endif
  }
};

struct OfHalfPairs {
  static RCJ_INLINE void Add(Line* sum, Line x, Line w) {
#ifdef RCJ_PLAIN_UNITS
    const Line high = Splat(int32_t(0xffff0000));
    const Floats first = (Floats)(x << 16) * (Floats)(w << 16);
    const Floats second = (Floats)(x & high) * (Floats)(w & high);
    *sum = (Line)((Floats)*sum + first + second);
#else
    *sum = (Line)_mm512_dpbf16_ps((__m512)*sum, (__m512bh)x, (__m512bh)w);
#endif
  }
};

bool Has(Unit unit) {
#ifdef RCJ_PLAIN_UNITS
  return unit != Unit::kFloat;
#else
  __builtin_cpu_init();
  return unit == Unit::kQuad ? __builtin_cpu_supports("avx512vnni")
                             : __builtin_cpu_supports("avx512bf16");
#endif
}

}  // namespace

const Cores* NewerCores(Unit unit) {
  if (!Has(unit)) return nullptr;
  return unit == Unit::kQuad ? &CoresFor<OfQuads>::kCores
                             : &CoresFor<OfHalfPairs>::kCores;
}

}  // namespace rcj::network

#else

namespace rcj::network {

const Cores* NewerCores(Unit) { return nullptr; }

}  // namespace rcj::network

#endif
