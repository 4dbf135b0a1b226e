#include "network/team.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace rcj::network {
namespace {

// How often a thread looks for work before it sleeps: for some 50 us.
constexpr int kLooks = 4000;
constexpr int64_t kTurn = 1 << 16;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

class Team {
 public:
  bool Run(int threads, int64_t n,
           const std::function<void(int64_t, int)>& body) {
    // The child of a fork has no threads.
    if (getpid() != process_) return false;
    std::unique_lock<std::mutex> alone(alone_, std::try_to_lock);
    if (!alone) return false;
    const int others = Others(threads - 1);
    body_ = &body, n_ = n, failed_ = false;
    next_.store(0), left_.store(others);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      turn_.store((turn_.load() / kTurn + 1) * kTurn + others);
    }
    changed_.notify_all();
    Work(0);
    for (int i = 0; left_.load(std::memory_order_acquire) > 0; ++i) {
      i < kLooks ? Pause() : std::this_thread::yield();
    }
    if (failed_) throw std::bad_alloc();
    return true;
  }

 private:
  // So many threads, or as many as the system gives.
  int Others(int count) {
    try {
      while (static_cast<int>(threads_.size()) < count) {
        const int worker = threads_.size() + 1;
        const int64_t turn = turn_.load();
        threads_.emplace_back([this, worker, turn] { Serve(worker, turn); });
      }
    } catch (const std::system_error&) {
    }
    return std::min<int>(count, threads_.size());
  }

  void Work(int worker) {
    try {
      for (int64_t i; (i = next_.fetch_add(1)) < n_;) (*body_)(i, worker);
    } catch (const std::bad_alloc&) {
      failed_ = true;
    }
  }

  void Serve(int worker, int64_t seen) {
    while (true) {
      for (int i = 0; i < kLooks && turn_.load() == seen; ++i) Pause();
      if (turn_.load() == seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [&] { return turn_.load() != seen; });
      }
      seen = turn_.load();
      if (worker > seen % kTurn) continue;
      Work(worker);
      left_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::mutex alone_, mutex_;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
  // A number of its own for each loop, times kTurn, and the threads it wants:
  // both are read at once.
  std::atomic<int64_t> turn_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<int> left_{0};
  const std::function<void(int64_t, int)>* body_ = nullptr;
  int64_t n_ = 0;
  std::atomic<bool> failed_{false};
  const pid_t process_ = getpid();
};

}  // namespace

void Share(int threads, int64_t n,
           const std::function<void(int64_t, int)>& body) {
  // Threads cannot be joined while a library is unloaded.
  static Team* team = new Team;
  threads = static_cast<int>(std::min<int64_t>(threads, n));
  if (threads > 1 && team->Run(threads, n, body)) return;
  for (int64_t i = 0; i < n; ++i) body(i, 0);
}

}  // namespace rcj::network
