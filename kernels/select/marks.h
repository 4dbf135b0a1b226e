// Masks of what is at least some key.
#ifndef RCJ_SELECT_MARKS_H_
#define RCJ_SELECT_MARKS_H_

#include <cstdint>

#include "select/keys.h"
#include "select/run.h"

namespace rcj {

// Marks the keys from `least` up, returns how many are equal to it.
inline int64_t Mark(const Run<float>& run, int32_t least,
                    bool* __restrict marks) {
  constexpr int64_t kTogether = 1024;  // as many as int32 sums in vectors
  int64_t ties = 0;
  for (int64_t i = 0; i < run.count; i += kTogether) {
    const int64_t end = i + kTogether < run.count ? i + kTogether : run.count;
    int32_t equal = 0;
    for (int64_t j = i; j < end; ++j) {
      const int32_t key = ToKey(run.values[j]);
      marks[j] = key >= least;
      equal += key == least;
    }
    ties += equal;
  }
  return ties;
}

// Takes the marks of the first `excess` of `ties` keys that equal `least`.
inline void Unmark(const Run<float>& run, int32_t least, int64_t ties,
                   int64_t excess, bool* __restrict marks) {
  if (excess == ties) {
    for (int64_t i = 0; i < run.count; ++i) {
      marks[i] = ToKey(run.values[i]) > least;
    }
    return;
  }
  for (int64_t i = 0; excess > 0; ++i) {
    if (ToKey(run.values[i]) != least) continue;
    marks[i] = false;
    --excess;
  }
}

}  // namespace rcj

#endif  // RCJ_SELECT_MARKS_H_
