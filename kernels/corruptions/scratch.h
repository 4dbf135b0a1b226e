// Working memory that a thread keeps from one image to the next.
#ifndef RCJ_CORRUPTIONS_SCRATCH_H_
#define RCJ_CORRUPTIONS_SCRATCH_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace rcj {

// One at a time per thread, for one image: what `Take` returned is free again
// when it ends.
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  ~Scratch() {
    Memory& memory = Kept();
    if (memory.blocks.size() > 1) {
      // The next image will find everything it needs in one piece.
      memory.blocks.clear();
      memory.Grow(memory.total);
    }
    memory.used = 0;
  }

  // Room for values, which are undefined, aligned to 64 bytes.
  template <class T>
  T* Take(int64_t count) {
    const size_t bytes = count * sizeof(T) / 64 * 64 + 64;
    Memory& memory = Kept();
    if (memory.used + bytes > memory.size) memory.Grow(bytes);
    T* room = reinterpret_cast<T*>(memory.blocks.back().get() + memory.used);
    memory.used += bytes;
    return room;
  }

 private:
  struct Free {
    void operator()(std::byte* block) const { std::free(block); }
  };

  struct Memory {
    std::vector<std::unique_ptr<std::byte, Free>> blocks;
    size_t size = 0, used = 0;  // of the last block
    size_t total = 0;           // of all blocks

    void Grow(size_t bytes) {
      auto* block = static_cast<std::byte*>(std::aligned_alloc(64, bytes));
      if (block == nullptr) throw std::bad_alloc();
      total = blocks.empty() ? bytes : total + bytes;
      blocks.emplace_back(block);
      size = bytes;
      used = 0;
    }
  };

  static Memory& Kept() {
    static thread_local Memory memory;
    return memory;
  }
};

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_SCRATCH_H_
