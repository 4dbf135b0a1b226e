// A parallel loop on the thread pool of an FFI call.
#ifndef RCJ_COMMON_PARALLEL_H_
#define RCJ_COMMON_PARALLEL_H_

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "xla/ffi/api/ffi.h"

namespace rcj {

// Calls body(i) for 0 <= i < n, each once, and returns when all are done.
//
// The pool has no wait. The caller therefore works too, so that a pool of one
// thread, or one whose threads are all busy, cannot deadlock; a task that
// starts after the last index was taken touches nothing but `Loop`, which it
// shares, because the caller and with it `body` may be gone by then.
template <class Body>
void ParallelFor(xla::ffi::ThreadPool& pool, int64_t n, const Body& body) {
  const int64_t threads = std::min<int64_t>(pool.num_threads(), n);
  if (threads <= 1) {
    for (int64_t i = 0; i < n; ++i) body(i);
    return;
  }
  struct Loop {
    std::atomic<int64_t> next{0}, done{0};
    std::mutex mutex;
    std::condition_variable finished;
  };
  auto loop = std::make_shared<Loop>();
  auto work = [loop, n, body = &body] {
    for (int64_t i; (i = loop->next.fetch_add(1)) < n;) {
      (*body)(i);
      if (loop->done.fetch_add(1) + 1 == n) {
        std::lock_guard<std::mutex> lock(loop->mutex);
        loop->finished.notify_all();
      }
    }
  };
  for (int64_t t = 1; t < threads; ++t) pool.Schedule(decltype(work)(work));
  work();
  std::unique_lock<std::mutex> lock(loop->mutex);
  loop->finished.wait(lock, [&] { return loop->done.load() == n; });
}

}  // namespace rcj

#endif  // RCJ_COMMON_PARALLEL_H_
