// The order in which a network's operations run, and the memory they share;
// plan.cc makes it, run.cc follows it.
#ifndef RCJ_NETWORK_PLAN_H_
#define RCJ_NETWORK_PLAN_H_

#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

#include "network/operation.h"

namespace rcj::network {

// Memory of one run: of a thread, or of the threads of a group of images.
struct Arena {
  Lines lines{nullptr, &std::free};
  std::vector<Scratch> scratch;  // of each thread
  std::vector<Scratch> rings;    // of each thread
};

// Whether rows of a result are made of a few rows of the input.
bool ByRows(Kind kind);

class Plan {
 public:
  Plan(const Program& program, const Layout& layout, int total_stride);

  void Run(const float* images, int64_t batch, float* logits, int threads);

 private:
  // Operations that run row by row, each a few rows ahead of the next.
  struct Chain {
    int first, last;  // operations
  };

  void MeasureColumns(int strip);
  void MakeChains();
  bool Follows(int op) const;
  void PlaceValues();
  std::unique_ptr<Arena> Borrow(int threads);
  void Return(std::unique_ptr<Arena> arena);
  Rows RowsOf(const Arena& arena, int value) const;
  void RunGroup(Arena& arena, const Images& images, float* logits, int worker,
                int threads) const;
  void RunChain(const Chain& chain, Arena& arena, const Images& images,
                const Part& part, int worker) const;
  std::vector<Part> Split(const Chain& chain, int threads) const;
  int RowsHeld(const Chain& chain, int op) const;
  int RowsAtOnce(const Chain& chain, int op) const;
  int64_t RingLines(const Chain& chain, int op) const;
  struct Progress;
  Progress Begin(const Chain& chain, Arena& arena, const Images& images,
                 int worker) const;
  void Advance(const Chain& chain, int op, int y1, const Part& part,
               Scratch& scratch, Progress& progress) const;

  const Program& program_;
  Setting setting_;
  std::vector<std::unique_ptr<Operation>> operations_;
  std::vector<Chain> chains_;
  std::vector<int64_t> places_;  // of values in an arena; -1 for those of rings
  int64_t lines_ = 0;            // of an arena
  std::mutex mutex_;
  std::vector<std::unique_ptr<Arena>> idle_;
};

}  // namespace rcj::network

#endif  // RCJ_NETWORK_PLAN_H_
