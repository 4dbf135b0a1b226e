// The rows that are asked for, in the order of blocks of the table: a block
// stays in a core's cache while all that ask for it are served.
#ifndef RCJ_GATHER_PLAN_H_
#define RCJ_GATHER_PLAN_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/parallel.h"
#include "gather/operands.h"
#include "gather/table.h"

namespace rcj {

template <class What>
class Plan {
 public:
  // what(r, k) tells what the k-th row of r is asked for.
  template <class Tell>
  Plan(ffi::ThreadPool& pool, const Operands& operands, const Tell& what)
      : R_(operands.R()), K_(operands.K()), wishes_(new Wish<What>[R_ * K_]) {
    constexpr int64_t kBytes = 1 << 18;
    const int64_t row = operands.D() * (operands.Brief() ? 2 : 4);
    while ((row << (shift_ + 1)) <= kBytes && shift_ < 30) ++shift_;
    blocks_ = ((operands.M() - 1) >> shift_) + 1;
    ends_.resize(R_ * (blocks_ + 1));
    ParallelFor(pool, R_, [&](int64_t r) {
      Sort(operands.numbers.typed_data() + r * K_, operands.M() - 1, r, what);
    });
  }

  int64_t Blocks() const { return blocks_; }

  // Calls visit(r, wishes, count) with what each of R wants of a block.
  template <class Visit>
  void Serve(int64_t block, const Visit& visit) const {
    for (int64_t r = 0; r < R_; ++r) {
      const int32_t* end = ends_.data() + r * (blocks_ + 1) + block;
      if (end[1] > end[0]) {
        visit(r, wishes_.get() + r * K_ + end[0], end[1] - end[0]);
      }
    }
  }

 private:
  template <class Tell>
  void Sort(const int32_t* numbers, int32_t last, int64_t r, const Tell& what) {
    // First the number of wishes for a block, then where those before it end,
    // and in the end where its own do.
    int32_t* ends = ends_.data() + r * (blocks_ + 1);
    const auto row = [&](int64_t k) { return std::clamp(numbers[k], 0, last); };
    for (int64_t k = 0; k < K_; ++k) ++ends[(row(k) >> shift_) + 1];
    std::vector<int32_t> next(blocks_);
    for (int64_t b = 0; b < blocks_; ++b) {
      next[b] = ends[b];
      ends[b + 1] += ends[b];
    }
    Wish<What>* wishes = wishes_.get() + r * K_;
    for (int64_t k = 0; k < K_; ++k) {
      wishes[next[row(k) >> shift_]++] = {row(k), what(r, k)};
    }
  }

  int64_t R_, K_, blocks_;
  int shift_ = 0;
  std::unique_ptr<Wish<What>[]> wishes_;  // [R,K]
  std::vector<int32_t> ends_;             // [R,blocks+1]
};

}  // namespace rcj

#endif  // RCJ_GATHER_PLAN_H_
