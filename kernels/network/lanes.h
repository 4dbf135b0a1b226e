// Vectors of one 32-bit number for each of a few images.
#ifndef RCJ_NETWORK_LANES_H_
#define RCJ_NETWORK_LANES_H_

#include <cstdint>

#include "common/simd.h"

// Tests build other widths than the processor's own.
#ifndef RCJ_LANES
#if defined(__AVX512BW__)
#define RCJ_LANES 16
#elif defined(__AVX2__)
#define RCJ_LANES 8
#else
#define RCJ_LANES 4
#endif
#endif

#define RCJ_INLINE inline __attribute__((always_inline))

// Vectors are elements of containers; what the attribute says of aliases is for
// pointers.
#pragma GCC diagnostic ignored "-Wignored-attributes"

namespace rcj::network {

constexpr int kLanes = RCJ_LANES;
constexpr int kLineBytes = 4 * kLanes;

typedef float Floats __attribute__((vector_size(kLineBytes), may_alias));
typedef int32_t Ints __attribute__((vector_size(kLineBytes), may_alias));
// What memory holds: a float, two bfloat16 or four bytes of each image.
typedef Ints Line;

// Whether the intrinsics of RCJ_SIMD have this width.
#if defined(RCJ_SIMD) && \
    ((RCJ_LANES == 16) == defined(__AVX512BW__)) && RCJ_LANES >= 8
#define RCJ_NATIVE_LANES 1
#endif

RCJ_INLINE Ints Splat(int32_t x) { return Ints{} + x; }
RCJ_INLINE Floats Splat(float x) {
  int32_t bits;  // 0 + x would be an addition, for the sake of -0
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return (Floats)Splat(bits);
}

// a * b + c, rounded once where the processor can.
RCJ_INLINE Floats Fma(Floats a, Floats b, Floats c) {
#ifdef RCJ_NATIVE_LANES
  return (Floats)RCJ_SIMD(fmadd_ps)((simd::Floats)a, (simd::Floats)b,
                                    (simd::Floats)c);
#else
  return a * b + c;
#endif
}

// a where either is not a number: what is limited stays so.
RCJ_INLINE Floats Max(Floats a, Floats b) { return b > a ? b : a; }
RCJ_INLINE Floats Min(Floats a, Floats b) { return b < a ? b : a; }

RCJ_INLINE Floats ToFloats(Ints x) {
  return __builtin_convertvector(x, Floats);
}

// Of numbers below 2^22 in size, to nearest even.
RCJ_INLINE Ints Round(Floats x) {
  constexpr float kHalfUlp = 12582912.0f;  // 1.5 * 2^23: its ulp is 1
  return (Ints)(x + kHalfUlp) - (Ints)Splat(kHalfUlp);
}

RCJ_INLINE Line Permuted(Line x, Ints from) {
#if defined(__clang__)
  Line moved;
  for (int i = 0; i < kLanes; ++i) moved[i] = x[from[i]];
  return moved;
#else
  return __builtin_shuffle(x, from);
#endif
}

}  // namespace rcj::network

#endif  // RCJ_NETWORK_LANES_H_
