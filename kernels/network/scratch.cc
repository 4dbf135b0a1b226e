#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstdlib>
#include <new>

#include "network/operation.h"

namespace rcj::network {

Lines Allocated(int64_t count) {
  // Large pages where the system has them: rows lie far apart.
  constexpr int64_t kPage = 2 << 20;
#if defined(__SANITIZE_ADDRESS__)
  const int64_t page = kLineBytes;  // what lies behind is not ours
#else
  const int64_t page = count * kLineBytes < kPage ? 4096 : kPage;
#endif
  const int64_t bytes = (count * kLineBytes + page - 1) / page * page;
  void* data = std::aligned_alloc(page, bytes);
  if (!data) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  if (page == kPage) madvise(data, bytes, MADV_HUGEPAGE);
#endif
  return Lines(static_cast<Line*>(data), &std::free);
}

Line* Scratch::Lines(int use, int64_t count) {
  Part& part = parts_[use];
  if (part.size < count) {
    part.data.reset();
    part.data = Allocated(count);
    part.size = count;
  }
  return part.data.get();
}

}  // namespace rcj::network
