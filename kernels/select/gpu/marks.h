// Masks from the k-th value: what the threads of a block do between two
// barriers.
#ifndef RCJ_SELECT_GPU_MARKS_H_
#define RCJ_SELECT_GPU_MARKS_H_

#include "select/gpu/problem.h"

namespace rcj::select_gpu {

struct TieMemory {
  uint32_t ties[kBlock];
};

RCJ_BOTH int64_t Before(const uint32_t* counts, int t) {
  int64_t sum = 0;
  for (int i = 0; i < t; ++i) sum += counts[i];
  return sum;
}

// Marks what is at least the k-th value.
RCJ_BOTH void MarkValues(const Problem& problem, int64_t block,
                         TieMemory& memory, int t) {
  const Leaf& leaf = problem.Of(block);
  const int32_t least = problem.groups[leaf.group].least;
  const bool any = problem.k[leaf.group] > 0;
  const int64_t begin = (block - leaf.first) * kPiece;
  const int64_t end = Least(begin + kPiece, leaf.count);
  uint32_t ties = 0;
  for (int64_t i = begin + t; i < end; i += kBlock) {
    const int32_t key = ToKey(leaf.values[i]);
    leaf.marks[i] = any && key >= least;
    ties += any && key == least;
  }
  memory.ties[t] = ties;
}

RCJ_BOTH void SumTies(const Problem& problem, int64_t block,
                      const TieMemory& memory, int t) {
  if (t == 0) problem.ties[block] = Before(memory.ties, kBlock);
}

// The blocks of a group that thread t adds up.
struct Share {
  int64_t first, end;

  RCJ_BOTH Share(const Group& group, int t) {
    const int64_t blocks = group.end - group.first;
    first = group.first + blocks * t / kBlock;
    end = group.first + blocks * (t + 1) / kBlock;
  }
};

RCJ_BOTH void SumBlocks(const Problem& problem, int g, TieMemory& memory,
                        int t) {
  const Share share(problem.groups[g], t);
  memory.ties[t] = 0;
  for (int64_t b = share.first; b < share.end; ++b) {
    memory.ties[t] += problem.ties[b];
  }
}

// Ties beyond those that stay go, the first ones.
RCJ_BOTH void DropTies(const Problem& problem, int g, const TieMemory& memory,
                       int t) {
  const Share share(problem.groups[g], t);
  int64_t excess = Before(memory.ties, kBlock) - problem.groups[g].stay;
  excess -= Before(memory.ties, t);
  for (int64_t b = share.first; b < share.end; ++b) {
    const int64_t ties = problem.ties[b];
    problem.drop[b] = excess > 0 ? Least(excess, ties) : 0;
    excess -= ties;
  }
}

// The values of a block that thread t takes in order.
RCJ_BOTH bool IsTie(const Problem& problem, const Leaf& leaf, int64_t i) {
  return i < leaf.count &&
         ToKey(leaf.values[i]) == problem.groups[leaf.group].least;
}

RCJ_BOTH void CountTies(const Problem& problem, int64_t block,
                        TieMemory& memory, int t) {
  const Leaf& leaf = problem.Of(block);
  const int64_t begin = (block - leaf.first) * kPiece + t * kEach;
  memory.ties[t] = 0;
  for (int64_t i = begin; i < begin + kEach; ++i) {
    memory.ties[t] += IsTie(problem, leaf, i);
  }
}

RCJ_BOTH void UnmarkTies(const Problem& problem, int64_t block,
                         const TieMemory& memory, int t) {
  const Leaf& leaf = problem.Of(block);
  const int64_t begin = (block - leaf.first) * kPiece + t * kEach;
  int64_t excess = problem.drop[block] - Before(memory.ties, t);
  for (int64_t i = begin; i < begin + kEach && excess > 0; ++i) {
    if (!IsTie(problem, leaf, i)) continue;
    leaf.marks[i] = false;
    --excess;
  }
}

}  // namespace rcj::select_gpu

#endif  // RCJ_SELECT_GPU_MARKS_H_
