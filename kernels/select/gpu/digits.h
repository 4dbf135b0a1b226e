// The k-th value of each group, digit by digit: what the threads of a block do
// between two barriers.
#ifndef RCJ_SELECT_GPU_DIGITS_H_
#define RCJ_SELECT_GPU_DIGITS_H_

#include "select/gpu/problem.h"

namespace rcj::select_gpu {

struct CountMemory {
  uint32_t counts[kDigits];
};

RCJ_BOTH void ClearCounts(CountMemory& memory, int t) {
  for (int d = t; d < kDigits; d += kBlock) memory.counts[d] = 0;
}

// Counts digits of those keys that begin as the k-th does, from `known` up.
RCJ_BOTH void CountValues(const Problem& problem, int64_t block, int known,
                          CountMemory& memory, int t) {
  const Leaf& leaf = problem.Of(block);
  const uint32_t prefix = problem.groups[leaf.group].prefix;
  const int64_t begin = (block - leaf.first) * kPiece;
  const int64_t end = Least(begin + kPiece, leaf.count);
  for (int64_t i = begin + t; i < end; i += kBlock) {
    const uint32_t bits = Prefix(ToKey(leaf.values[i]), Shift(known));
    if (uint64_t{bits} >> (known - Shift(known)) != prefix) continue;
    Add(&memory.counts[bits % kDigits], 1u);
  }
}

RCJ_BOTH void AddCounts(const Problem& problem, int64_t block,
                        const CountMemory& memory, int t) {
  uint32_t* counts = problem.counts + problem.Of(block).group * kDigits;
  for (int d = t; d < kDigits; d += kBlock) {
    if (memory.counts[d] > 0) Add(&counts[d], memory.counts[d]);
  }
}

struct ChoiceMemory {
  int64_t sums[kBlock];
};

constexpr int kDigitsEach = kDigits / kBlock;

RCJ_BOTH void SumCounts(const Problem& problem, int g, ChoiceMemory& memory,
                        int t) {
  const uint32_t* counts = problem.counts + g * kDigits + t * kDigitsEach;
  memory.sums[t] = 0;
  for (int d = 0; d < kDigitsEach; ++d) memory.sums[t] += counts[d];
}

// One thread finds the digit of the k-th.
RCJ_BOTH void Choose(const Problem& problem, int g, int known,
                     const ChoiceMemory& memory, int t) {
  if (t > 0) return;
  Group& group = problem.groups[g];
  int part = kBlock - 1;
  for (; part > 0 && memory.sums[part] < group.stay; --part) {
    group.stay -= memory.sums[part];
  }
  const uint32_t* counts = problem.counts + g * kDigits;
  int digit = (part + 1) * kDigitsEach - 1;
  for (; digit > part * kDigitsEach && counts[digit] < group.stay; --digit) {
    group.stay -= counts[digit];
  }
  const int more = known - Shift(known);
  const uint32_t rest = digit % (1u << more);
  group.prefix = static_cast<uint32_t>(uint64_t{group.prefix} << more) | rest;
  if (Shift(known) > 0) return;
  group.least = static_cast<int32_t>(group.prefix ^ 0x80000000u);
  if (group.least > kMinusInf) return;
  group.least = kMinusInf + 1;
  group.stay = problem.k[g];
}

// For the next digit.
RCJ_BOTH void ResetCounts(const Problem& problem, int g, int t) {
  for (int d = t; d < kDigits; d += kBlock) problem.counts[g * kDigits + d] = 0;
}

RCJ_BOTH void BeginGroup(const Problem& problem, int g, int t) {
  ResetCounts(problem, g, t);
  if (t > 0) return;
  problem.groups[g].prefix = 0;
  problem.groups[g].stay = problem.k[g];
}

}  // namespace rcj::select_gpu

#endif  // RCJ_SELECT_GPU_DIGITS_H_
