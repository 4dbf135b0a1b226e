#include <cstdlib>
#include <new>

#include "network/operation.h"

namespace rcj::network {

Line* Scratch::Lines(int use, int64_t count) {
  Part& part = parts_[use];
  if (part.size < count) {
    part.data.reset();
    const int64_t bytes = (count * kLineBytes + 4095) / 4096 * 4096;
    part.data.reset(std::aligned_alloc(4096, bytes));
    if (!part.data) throw std::bad_alloc();
    part.size = count;
  }
  return static_cast<Line*>(part.data.get());
}

}  // namespace rcj::network
