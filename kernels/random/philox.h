// Philox 4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011: random words as a function of a key and a counter.
//
// Value i of a stream is word (i % 64) / 16 of the block with the counter
// (16 * (i / 64) + i % 16, stream, 0, 0), so that 16 blocks side by side fill
// 64 values in order, whatever the width of the vectors.
#ifndef RCJ_RANDOM_PHILOX_H_
#define RCJ_RANDOM_PHILOX_H_

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace rcj {

constexpr int kLanes = 16;
constexpr int kGroup = 4 * kLanes;

// Blocks side by side, a word of each in the lower half of 64 bits; the upper
// halves are anything.
#if defined(__AVX512F__)
constexpr int kWide = 8;
#elif defined(__AVX2__)
constexpr int kWide = 4;
#else
constexpr int kWide = 2;
#endif
typedef uint64_t Wide __attribute__((vector_size(8 * kWide)));
typedef uint32_t Narrow __attribute__((vector_size(4 * kWide)));

// The products of the lower halves: g++ 12 does not find the instruction, and
// warns of its own header where nothing is masked.
inline Wide Product(Wide a, Wide b) {
#if defined(__AVX512F__)
  return (Wide)_mm512_maskz_mul_epu32(0xFF, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (Wide)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (Wide)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF);
#endif
}

// Fills words[0..63] with the values 64 * group .. 64 * group + 63.
inline void PhiloxGroup(const uint32_t key[2], uint32_t stream, uint32_t group,
                        uint32_t* __restrict words) {
  constexpr int kAtOnce = 2;  // chains of instructions that do not wait
  for (int lane = 0; lane < kLanes; lane += kAtOnce * kWide) {
    Wide c[4][kAtOnce] = {};
    for (int u = 0; u < kAtOnce; ++u) {
      uint64_t first[kWide];
      for (int i = 0; i < kWide; ++i) {
        first[i] = kLanes * group + lane + kWide * u + i;
      }
      std::memcpy(&c[0][u], first, sizeof(first));
      c[1][u] = Wide{} + stream;
    }
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; ++round) {
      for (int u = 0; u < kAtOnce; ++u) {
        const Wide a = Product(c[0][u], Wide{} + 0xD2511F53);
        const Wide b = Product(c[2][u], Wide{} + 0xCD9E8D57);
        c[0][u] = (b >> 32) ^ c[1][u] ^ (Wide{} + k0);
        c[1][u] = b;
        c[2][u] = (a >> 32) ^ c[3][u] ^ (Wide{} + k1);
        c[3][u] = a;
      }
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    for (int w = 0; w < 4; ++w) {
      for (int u = 0; u < kAtOnce; ++u) {
        const Narrow found = __builtin_convertvector(c[w][u], Narrow);
        std::memcpy(words + kLanes * w + lane + kWide * u, &found,
                    sizeof(found));
      }
    }
  }
}

}  // namespace rcj

#endif  // RCJ_RANDOM_PHILOX_H_
