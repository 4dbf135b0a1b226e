// Vectors of bytes in lanes of 16, as wide as the instruction set has them.
//
// RCJ_SIMD(name) is the intrinsic of that name and width. Where there are no
// vectors with a byte shuffle it is not defined, and kernels use plain loops.
#ifndef RCJ_COMMON_SIMD_H_
#define RCJ_COMMON_SIMD_H_

#include <cstdint>

#if defined(__AVX512BW__)
#define RCJ_SIMD(name) _mm512_##name
#elif defined(__AVX2__)
#define RCJ_SIMD(name) _mm256_##name
#endif

#ifdef RCJ_SIMD
// GCC's header reads variables that it leaves undefined on purpose.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

namespace rcj::simd {

#if defined(__AVX512BW__)
using Bytes = __m512i;
using Floats = __m512;
#else
using Bytes = __m256i;
using Floats = __m256;
#endif

constexpr int kBytes = sizeof(Bytes);
constexpr int kLanes = kBytes / 16;
constexpr int kFloats = kBytes / 4;

inline Bytes Load(const void* from) {
  Bytes v;
  __builtin_memcpy(&v, from, kBytes);
  return v;
}

inline Floats LoadFloats(const float* from) {
  return RCJ_SIMD(loadu_ps)(from);
}

inline void Store(void* to, Bytes v) { __builtin_memcpy(to, &v, kBytes); }

inline __m128i Load16(const void* from) {
  return _mm_loadu_si128(static_cast<const __m128i*>(from));
}

// The same 16 bytes in every lane.
inline Bytes Repeat16(const void* from) {
#if defined(__AVX512BW__)
  return _mm512_broadcast_i32x4(Load16(from));
#else
  return _mm256_broadcastsi128_si256(Load16(from));
#endif
}

// 16 bytes from each of kLanes places.
template <class T>
inline Bytes LoadLanes(const T* const* from, int64_t offset = 0) {
#if defined(__AVX512BW__)
  Bytes v = _mm512_castsi128_si512(Load16(from[0] + offset));
  v = _mm512_inserti32x4(v, Load16(from[1] + offset), 1);
  v = _mm512_inserti32x4(v, Load16(from[2] + offset), 2);
  return _mm512_inserti32x4(v, Load16(from[3] + offset), 3);
#else
  const Bytes v = _mm256_castsi128_si256(Load16(from[0] + offset));
  return _mm256_inserti128_si256(v, Load16(from[1] + offset), 1);
#endif
}

// One number per lane, in each of its four places.
inline Bytes SetLanes(const int32_t* values) {
#if defined(__AVX512BW__)
  return _mm512_permutexvar_epi32(
      _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3),
      _mm512_castsi128_si512(Load16(values)));
#else
  return _mm256_setr_m128i(_mm_set1_epi32(values[0]),
                           _mm_set1_epi32(values[1]));
#endif
}

// The bytes of the lower (0) or upper (1) half of each lane, as 16-bit words.
template <int kHalf>
inline Bytes Widen(Bytes v) {
  return kHalf ? RCJ_SIMD(unpackhi_epi8)(v, Bytes{})
               : RCJ_SIMD(unpacklo_epi8)(v, Bytes{});
}

// `b` where the highest bit of a byte of `mask` is set, else `a`.
inline Bytes Blend(Bytes a, Bytes b, Bytes mask) {
#if defined(__AVX512BW__)
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(mask), a, b);
#else
  return _mm256_blendv_epi8(a, b, mask);
#endif
}

// 0xff where bytes are equal, else 0.
inline Bytes Equal(Bytes a, Bytes b) {
#if defined(__AVX512BW__)
  return _mm512_movm_epi8(_mm512_cmpeq_epi8_mask(a, b));
#else
  return _mm256_cmpeq_epi8(a, b);
#endif
}

// The highest bit of each byte.
inline uint64_t Mask(Bytes v) {
#if defined(__AVX512BW__)
  return _mm512_movepi8_mask(v);
#else
  return static_cast<uint32_t>(_mm256_movemask_epi8(v));
#endif
}

inline bool AnySet(Bytes v) {
#if defined(__AVX512BW__)
  return _mm512_test_epi8_mask(v, v) != 0;
#else
  return !_mm256_testz_si256(v, v);
#endif
}

// `b` in the places of the set bits of kMask, else `a`.
template <int kMask>
inline Floats Blend(Floats a, Floats b) {
#if defined(__AVX512BW__)
  return _mm512_mask_blend_ps(kMask, a, b);
#else
  return _mm256_blend_ps(a, b, kMask);
#endif
}

inline void StoreFloats(float* to, Floats v) { RCJ_SIMD(storeu_ps)(to, v); }

// Floats, none of them NaN, as bfloat16, rounded to nearest even.
inline void StoreFloats(uint16_t* to, Floats v) {
  const Bytes bits = reinterpret_cast<Bytes>(v);
  const Bytes odd = RCJ_SIMD(srli_epi32)(RCJ_SIMD(slli_epi32)(bits, 15), 31);
  const Bytes up = RCJ_SIMD(add_epi32)(odd, RCJ_SIMD(set1_epi32)(0x7fff));
  const Bytes high = RCJ_SIMD(srli_epi32)(RCJ_SIMD(add_epi32)(bits, up), 16);
#if defined(__AVX512BW__)
  const __m256i half = _mm512_cvtepi32_epi16(high);
#else
  const Bytes packed = _mm256_packus_epi32(high, high);
  const __m128i half =
      _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
#endif
  __builtin_memcpy(to, &half, sizeof(half));
}

}  // namespace rcj::simd

#endif  // RCJ_SIMD
#endif  // RCJ_COMMON_SIMD_H_
