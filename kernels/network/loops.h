// The loops of cores.h for any unit; they are compiled for each of them.
#ifndef RCJ_NETWORK_LOOPS_H_
#define RCJ_NETWORK_LOOPS_H_

#include "network/cores.h"

namespace rcj::network {
namespace {

#if RCJ_LANES == 16
constexpr int kResults = 6;  // 32 registers hold 4 x 6 sums
#else
constexpr int kResults = 3;  // 16 registers hold 4 x 3
#endif

template <class Product, int kHeight, int kWidth, int kBeyond>
void RunSparse(const Line* patch, const uint32_t* begin,
               const uint16_t* places, const uint32_t* words, int count,
               Line* sums, bool first) {
  constexpr int kSums = kHeight * kWidth, kPitch = kWidth + kBeyond;
  for (int o = 0; o < count; ++o, sums += kSums) {
    Line own[kSums];
#pragma GCC unroll 32
    for (int t = 0; t < kSums; ++t) own[t] = first ? Line{} : sums[t];
    const uint32_t end = begin[o + 1];
    for (uint32_t i = begin[o]; i < end; ++i) {
      const Line* at = patch + places[i];
      const Line word = Splat(static_cast<int32_t>(words[i]));
#pragma GCC unroll 32
      for (int t = 0; t < kSums; ++t) {
        Product::Add(&own[t], at[t / kWidth * kPitch + t % kWidth], word);
      }
    }
#pragma GCC unroll 32
    for (int t = 0; t < kSums; ++t) sums[t] = own[t];
  }
}

template <class Product, int kChannels, int kNeighbours>
void RunDense(const Line* patch, const uint16_t* places, int count,
              const uint32_t* words, int groups, const uint16_t* spots,
              int spot_count, Line* sums, int sums_apart, bool first) {
  for (int g = 0; g < groups; ++g, words += int64_t{count} * kChannels) {
    Line* to = sums + int64_t{g} * kChannels * sums_apart;
    for (int s = 0; s < spot_count; ++s, to += kNeighbours) {
      const Line* from = patch + spots[s];
      Line own[kChannels][kNeighbours];
#pragma GCC unroll 32
      for (int q = 0; q < kChannels; ++q) {
#pragma GCC unroll 32
        for (int t = 0; t < kNeighbours; ++t) {
          own[q][t] = first ? Line{} : to[q * sums_apart + t];
        }
      }
      const uint32_t* word = words;
      for (int i = 0; i < count; ++i, word += kChannels) {
        const Line* at = from + places[i];
        Line x[kNeighbours];
#pragma GCC unroll 32
        for (int t = 0; t < kNeighbours; ++t) x[t] = at[t];
#pragma GCC unroll 32
        for (int q = 0; q < kChannels; ++q) {
          const Line w = Splat(static_cast<int32_t>(word[q]));
#pragma GCC unroll 32
          for (int t = 0; t < kNeighbours; ++t) {
            Product::Add(&own[q][t], x[t], w);
          }
        }
      }
#pragma GCC unroll 32
      for (int q = 0; q < kChannels; ++q) {
#pragma GCC unroll 32
        for (int t = 0; t < kNeighbours; ++t) {
          to[q * sums_apart + t] = own[q][t];
        }
      }
    }
  }
}

// 3 columns beyond the tile suffice for 7 x 7 taps at a stride of 2.
#define RCJ_TILE(h, w) \
  {{h, w}, 0, RunSparse<Product, h, w, 0>}, \
  {{h, w}, 3, RunSparse<Product, h, w, 3>}

template <class Product>
struct CoresFor {
  static constexpr SparseTile kSparse[] = {
      RCJ_TILE(1, 1), RCJ_TILE(1, 4), RCJ_TILE(1, 7), RCJ_TILE(1, 8),
      RCJ_TILE(2, 4), RCJ_TILE(2, 7), RCJ_TILE(3, 4), RCJ_TILE(2, 6),
      RCJ_TILE(7, 1), RCJ_TILE(7, 2), RCJ_TILE(4, 2),
#if RCJ_LANES == 16
      RCJ_TILE(4, 7), RCJ_TILE(4, 4), RCJ_TILE(7, 4), RCJ_TILE(2, 14),
#endif
      {{0, 0}, 0, nullptr}};
  static constexpr Cores kCores = {
      kSparse,
      {RunDense<Product, 4, kResults>, 4, kResults},
      {RunDense<Product, 8, 1>, 8, 1}};
};

}  // namespace
}  // namespace rcj::network

#endif  // RCJ_NETWORK_LOOPS_H_
