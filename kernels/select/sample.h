// The k-th largest of many values, which are read only once if a sample of them
// tells between which two keys it is.
//
// Floyd and Rivest, "Expected time bounds for selection", 1975,
// https://doi.org/10.1145/360680.360691.
#ifndef RCJ_SELECT_SAMPLE_H_
#define RCJ_SELECT_SAMPLE_H_

#include <cmath>
#include <cstdint>
#include <vector>

#include "select/radix.h"

namespace rcj {

// Keys of about `wanted` of the values.
inline std::vector<int32_t> Sample(const std::vector<Run<float>>& runs,
                                   int64_t count, int64_t wanted) {
  // Odd, so that channels take turns.
  const int64_t step = (count / wanted) | 1;
  std::vector<int32_t> keys;
  int64_t at = 0;
  for (const auto& run : runs) {
    for (; at < run.count; at += step) keys.push_back(ToKey(run.values[at]));
    at -= run.count;
  }
  return keys;
}

// Keys between which the k-th largest of `count` values is, most likely.
inline Range Likely(xla::ffi::ThreadPool& pool,
                    const std::vector<int32_t>& sample, int64_t k,
                    int64_t count) {
  std::vector<Run<int32_t>> runs;
  AddRuns(sample.data(), sample.size(), runs);
  const double size = sample.size(), share = static_cast<double>(k) / count;
  const double error = 5 * std::sqrt(size * share * (1 - share)) + 5;
  int64_t high = share * size - error, low = share * size + error;
  Range range{INT32_MIN, INT32_MAX};
  if (high > 0) range.greatest = Kth(pool, runs, high);
  if (low <= size) range.least = Kth(pool, runs, low);
  return range;
}

// As `Kth`.
inline int32_t KthOfMany(xla::ffi::ThreadPool& pool,
                         const std::vector<Run<float>>& runs, int64_t count,
                         int64_t& k) {
  constexpr int64_t kMany = 1 << 19, kSample = 1 << 15;
  if (count < kMany) return Kth(pool, runs, k);
  const Range range = Likely(pool, Sample(runs, count, kSample), k, count);
  const Keys keys = Gather(pool, runs, range);
  if (k <= keys.above || k > keys.above + keys.count) {
    return Kth(pool, runs, k);
  }
  k -= keys.above;
  return Kth(pool, keys.Runs(), k);
}

}  // namespace rcj

#endif  // RCJ_SELECT_SAMPLE_H_
