// The k-th largest value by the digits of keys, the first digit first.
#ifndef RCJ_SELECT_RADIX_H_
#define RCJ_SELECT_RADIX_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "common/parallel.h"
#include "select/compact.h"
#include "select/keys.h"
#include "select/run.h"

namespace rcj {

constexpr int kDigitBits = 11;
constexpr int kDigits = 1 << kDigitBits;
using Counts = std::array<uint32_t, kDigits>;

// Keys that begin with `prefix`, their bits from `shift` up.
inline Range Beginning(uint32_t prefix, int shift) {
  const uint32_t least = prefix << shift, rest = (1u << shift) - 1;
  return {static_cast<int32_t>(least ^ 0x80000000u),
          static_cast<int32_t>((least | rest) ^ 0x80000000u)};
}

// How often each digit, of the bits from `shift` up, occurs.
template <class T>
void CountDigits(const Run<T>& run, int shift, Counts& counts) {
  // Neighbours are often alike: an increment would wait for the one before.
  constexpr int kTables = 4, kTogether = 32;
  uint32_t tables[kTables][kDigits] = {};
  int64_t i = 0;
  for (; i + kTogether <= run.count; i += kTogether) {
    uint32_t digits[kTogether];
    for (int j = 0; j < kTogether; ++j) {
      digits[j] = Prefix(ToKey(run.values[i + j]), shift) % kDigits;
    }
    for (int j = 0; j < kTogether; ++j) ++tables[j % kTables][digits[j]];
  }
  for (; i < run.count; ++i) {
    ++tables[0][Prefix(ToKey(run.values[i]), shift) % kDigits];
  }
  for (int d = 0; d < kDigits; ++d) {
    counts[d] = tables[0][d] + tables[1][d] + tables[2][d] + tables[3][d];
  }
}

// The digit of the k-th largest; k becomes its rank among those that have it.
inline uint32_t Choose(const std::vector<Counts>& counts, int64_t& k) {
  Counts total{};
  for (const Counts& some : counts) {
    for (int d = 0; d < kDigits; ++d) total[d] += some[d];
  }
  uint32_t digit = kDigits - 1;
  for (; digit > 0 && total[digit] < k; --digit) k -= total[digit];
  return digit;
}

// Keys of a range, and how many values are above it.
struct Keys {
  std::unique_ptr<int32_t[]> memory;
  int64_t count = 0, above = 0;

  std::vector<Run<int32_t>> Runs() const {
    std::vector<Run<int32_t>> runs;
    AddRuns<int32_t>(memory.get(), count, runs);
    return runs;
  }
};

template <class T>
Keys Gather(xla::ffi::ThreadPool& pool, const std::vector<Run<T>>& runs,
            Range range) {
  std::vector<int64_t> first(runs.size() + 1);
  for (size_t i = 0; i < runs.size(); ++i) {
    first[i + 1] = first[i] + runs[i].count;
  }
  // Pages that nothing is written to cost nothing.
  Keys keys{std::unique_ptr<int32_t[]>(new int32_t[first.back()])};
  int32_t* memory = keys.memory.get();
  std::vector<Found> found(runs.size());
  ParallelFor(pool, runs.size(), [&](int64_t i) {
    found[i] = Compact(runs[i], range, memory + first[i]);
  });
  for (size_t i = 0; i < runs.size(); ++i) {
    std::memmove(memory + keys.count, memory + first[i],
                 found[i].inside * sizeof(int32_t));
    keys.count += found[i].inside;
    keys.above += found[i].above;
  }
  return keys;
}

// The key of the k-th largest, 1 <= k <= the number of values, all of whose
// keys begin with `prefix`, their bits from `known` up; k becomes its rank among
// equal ones.
template <class T>
int32_t Kth(xla::ffi::ThreadPool& pool, const std::vector<Run<T>>& runs,
            int64_t& k, int known = 32, uint32_t prefix = 0) {
  const int shift = std::max(known - kDigitBits, 0), more = known - shift;
  std::vector<Counts> counts(runs.size());
  ParallelFor(pool, runs.size(),
              [&](int64_t i) { CountDigits(runs[i], shift, counts[i]); });
  // Of the last digit the highest bit is known.
  const uint32_t digit = Choose(counts, k) % (1u << more);
  prefix = static_cast<uint32_t>(uint64_t{prefix} << more) | digit;
  const Range range = Beginning(prefix, shift);
  if (shift == 0) return range.least;
  const Keys keys = Gather(pool, runs, range);
  return Kth(pool, keys.Runs(), k, shift, prefix);
}

}  // namespace rcj

#endif  // RCJ_SELECT_RADIX_H_
