// Sums over rows of a table, four rows at a time.
#ifndef RCJ_GATHER_ROW_H_
#define RCJ_GATHER_ROW_H_

#include <cstdint>
#include <cstring>

#include "common/simd.h"

namespace rcj {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif
typedef float Vector __attribute__((vector_size(4 * kWidth)));

inline Vector LoadVector(const float* from) {
  Vector v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}

// Of bfloat16. Compilers do not find the instructions.
inline Vector LoadVector(const uint16_t* from) {
#if defined(__AVX512F__)
  __m256i halves;
  std::memcpy(&halves, from, sizeof(halves));
  return (Vector)_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16);
#elif defined(__AVX2__)
  __m128i halves;
  std::memcpy(&halves, from, sizeof(halves));
  return (Vector)_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16);
#else
  uint32_t words[kWidth];
  for (int i = 0; i < kWidth; ++i) words[i] = uint32_t{from[i]} << 16;
  Vector v;
  std::memcpy(&v, words, sizeof(v));
  return v;
#endif
}

inline void StoreVector(float* to, Vector v) { std::memcpy(to, &v, sizeof(v)); }

inline float LoadFloat(const float* from) { return *from; }

inline float LoadFloat(const uint16_t* from) {
  const uint32_t bits = uint32_t{*from} << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

typedef float Quad __attribute__((vector_size(16)));

inline Quad Fold(Vector v) {
#if defined(__AVX512F__)
  return __builtin_shufflevector(v, v, 0, 1, 2, 3) +
         __builtin_shufflevector(v, v, 4, 5, 6, 7) +
         (__builtin_shufflevector(v, v, 8, 9, 10, 11) +
          __builtin_shufflevector(v, v, 12, 13, 14, 15));
#elif defined(__AVX2__)
  return __builtin_shufflevector(v, v, 0, 1, 2, 3) +
         __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
  return v;
#endif
}

// The sums of four vectors.
inline Quad Sums(Quad a, Quad b, Quad c, Quad d) {
  const Quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) +
                  __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5) +
                  __builtin_shufflevector(c, d, 2, 6, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) +
         __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

// Rows are taken by four. Each has a name of its own here, because compilers
// leave arrays of vectors in memory.
constexpr int kRows = 4;

// The products of `x` with four rows.
template <class T>
void Products(const float* x, const T* const rows[kRows], int64_t length,
              float products[kRows]) {
  const T *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3];
  Vector a{}, b{}, c{}, e{};
  int64_t d = 0;
  for (; d + kWidth <= length; d += kWidth) {
    const Vector v = LoadVector(x + d);
    a += v * LoadVector(r0 + d);
    b += v * LoadVector(r1 + d);
    c += v * LoadVector(r2 + d);
    e += v * LoadVector(r3 + d);
  }
  const Quad sums = Sums(Fold(a), Fold(b), Fold(c), Fold(e));
  std::memcpy(products, &sums, sizeof(sums));
  for (; d < length; ++d) {
    for (int j = 0; j < kRows; ++j) {
      products[j] += x[d] * LoadFloat(rows[j] + d);
    }
  }
}

// Adds weighted rows to `sum`.
template <class T>
void AddRows(const float weights[kRows], const T* const rows[kRows],
             int64_t length, float* sum) {
  const T *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3];
  const Vector a = Vector{} + weights[0], b = Vector{} + weights[1];
  const Vector c = Vector{} + weights[2], e = Vector{} + weights[3];
  int64_t d = 0;
  for (; d + kWidth <= length; d += kWidth) {
    const Vector v = a * LoadVector(r0 + d) + b * LoadVector(r1 + d);
    const Vector w = c * LoadVector(r2 + d) + e * LoadVector(r3 + d);
    StoreVector(sum + d, LoadVector(sum + d) + (v + w));
  }
  for (; d < length; ++d) {
    sum[d] += weights[0] * LoadFloat(r0 + d) + weights[1] * LoadFloat(r1 + d) +
              (weights[2] * LoadFloat(r2 + d) + weights[3] * LoadFloat(r3 + d));
  }
}

}  // namespace rcj

#endif  // RCJ_GATHER_ROW_H_
