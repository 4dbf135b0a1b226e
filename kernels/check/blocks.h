// Blocks of a GPU's threads, run on the host.
#ifndef RCJ_CHECK_BLOCKS_H_
#define RCJ_CHECK_BLOCKS_H_

#include <cstdint>
#include <cstring>
#include <vector>

#include "common/gpu.h"

namespace rcj {

// Backwards, because a GPU promises no order.
template <class Block>
void Blocks(int64_t count, const Block& block) {
  for (int64_t i = count; i-- > 0;) block(i);
}

// Calls part(t) for all threads of a block, up to where they would wait.
template <class Part>
void Threads(const Part& part) {
  for (int t = 0; t < kBlock; ++t) part(t);
}

// Shared memory begins with anything.
template <class Memory>
Memory Undefined() {
  Memory memory;
  std::memset(&memory, 0xA5, sizeof(memory));
  return memory;
}

template <class T>
std::vector<T> Scratch(int64_t count) {
  return std::vector<T>(count, Undefined<T>());
}

}  // namespace rcj

#endif  // RCJ_CHECK_BLOCKS_H_
