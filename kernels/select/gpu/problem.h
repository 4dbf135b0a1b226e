// What the kernels of a selection share: leaves, groups of them, and blocks.
#ifndef RCJ_SELECT_GPU_PROBLEM_H_
#define RCJ_SELECT_GPU_PROBLEM_H_

#include <cstdint>

#include "common/gpu.h"
#include "select/keys.h"

namespace rcj::select_gpu {

constexpr int kDigitBits = 11;
constexpr int kDigits = 1 << kDigitBits;
// Values that a block of threads visits, all of one leaf.
constexpr int kEach = 16;
constexpr int64_t kPiece = int64_t{kEach} * kBlock;

struct Leaf {
  const float* values;
  bool* marks;
  int64_t count, first;  // block
  int group;
};

// Leaves that are ranked together, and what is known of their k-th value.
struct Group {
  int64_t first, end;  // blocks
  int64_t stay;        // rank of the k-th among those that begin as it does
  uint32_t prefix;     // how it begins
  int32_t least;       // its key, in the end
};

struct Problem {
  const int32_t* k;  // [G]
  int G, L;
  int64_t blocks;
  const Leaf* leaves;  // [L]
  Group* groups;       // [G]
  uint32_t* counts;    // [G,kDigits]
  uint32_t* ties;      // [blocks] values equal to the k-th
  uint32_t* drop;      // [blocks] how many of these, the first, go

  // The leaf that a block visits.
  RCJ_BOTH const Leaf& Of(int64_t block) const {
    int low = 0, high = L;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (leaves[middle].first <= block ? low : high) = middle;
    }
    return leaves[low];
  }
};

RCJ_BOTH int64_t Least(int64_t a, int64_t b) { return a < b ? a : b; }

// The bits of a key below `known` that a pass looks at begin here.
RCJ_BOTH int Shift(int known) {
  return known > kDigitBits ? known - kDigitBits : 0;
}

}  // namespace rcj::select_gpu

#endif  // RCJ_SELECT_GPU_PROBLEM_H_
