// Philox 4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011: random words as a function of a key and a counter.
//
// Value i of a stream is word (i % 64) / 16 of the block with the counter
// (16 * (i / 64) + i % 16, stream, 0, 0), so that 16 blocks side by side fill
// 64 values in order, whatever the width of the vectors.
#ifndef RCJ_RANDOM_PHILOX_H_
#define RCJ_RANDOM_PHILOX_H_

#include <cstdint>

namespace rcj {

constexpr int kLanes = 16;
constexpr int kGroup = 4 * kLanes;

// Fills words[0..63] with the values 64 * group .. 64 * group + 63.
inline void PhiloxGroup(const uint32_t key[2], uint32_t stream, uint32_t group,
                        uint32_t* __restrict words) {
  uint32_t c[4][kLanes];
  for (int i = 0; i < kLanes; ++i) {
    c[0][i] = kLanes * group + i;
    c[1][i] = stream;
    c[2][i] = c[3][i] = 0;
  }
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < kLanes; ++i) {
      const uint64_t a = uint64_t{0xD2511F53} * c[0][i];
      const uint64_t b = uint64_t{0xCD9E8D57} * c[2][i];
      c[0][i] = static_cast<uint32_t>(b >> 32) ^ c[1][i] ^ k0;
      c[1][i] = static_cast<uint32_t>(b);
      c[2][i] = static_cast<uint32_t>(a >> 32) ^ c[3][i] ^ k1;
      c[3][i] = static_cast<uint32_t>(a);
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  for (int w = 0; w < 4; ++w) {
    for (int i = 0; i < kLanes; ++i) words[kLanes * w + i] = c[w][i];
  }
}

}  // namespace rcj

#endif  // RCJ_RANDOM_PHILOX_H_
