// rcj_gather_sum: weights f32[R,K], a table [M,D] of f32 or bf16, numbers
// s32[R,K] -> f32[R,D], weighted sums of the rows that are asked for: the
// gradient of rcj_gather_dot with respect to x.
#include <vector>

#include "gather/operands.h"
#include "gather/plan.h"
#include "gather/row.h"
#include "gather/table.h"

namespace rcj {
namespace {

template <class T>
void Sum(ffi::ThreadPool& pool, const Operands& operands, float* out) {
  // Added in this order whatever the number of threads.
  constexpr int64_t kMost = 16;
  const Table<T> table{static_cast<const T*>(operands.table.untyped_data()),
                       operands.M(), operands.D()};
  const int64_t D = operands.D(), size = operands.R() * D;
  const float* weights = operands.scores.typed_data();
  const Plan<float> plan(pool, operands, [&](int64_t r, int64_t k) {
    return weights[r * operands.K() + k];
  });
  const int64_t parts = std::min(kMost, plan.Blocks());
  std::vector<float> sums(parts * size);
  ParallelFor(pool, parts, [&](int64_t part) {
    const auto serve = [&](int64_t r, const auto* wishes, int64_t count) {
      float* sum = sums.data() + part * size + r * D;
      table.Fetch(wishes, count,
                  [&](const auto* some, int64_t n, const T* const* rows) {
                    float w[kRows];
                    for (int64_t j = 0; j < kRows; ++j) {
                      w[j] = j < n ? some[j].what : 0;
                    }
                    AddRows(w, rows, D, sum);
                  });
    };
    const int64_t end = (part + 1) * plan.Blocks() / parts;
    for (int64_t b = part * plan.Blocks() / parts; b < end; ++b) {
      plan.Serve(b, serve);
    }
  });
  std::fill_n(out, size, 0.0f);
  for (int64_t part = 0; part < parts; ++part) {
    for (int64_t i = 0; i < size; ++i) out[i] += sums[part * size + i];
  }
}

ffi::Error Run(ffi::ThreadPool pool, ffi::BufferR2<ffi::F32> weights,
               ffi::AnyBuffer table, ffi::BufferR2<ffi::S32> numbers,
               ffi::Result<ffi::BufferR2<ffi::F32>> out) {
  const Operands operands{table, numbers, *out, weights};
  const ffi::Error wrong = operands.Check("gather_sum");
  if (wrong.failure()) return wrong;
  if (operands.Brief()) {
    Sum<uint16_t>(pool, operands, out->typed_data());
  } else {
    Sum<float>(pool, operands, out->typed_data());
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(gather_sum, rcj::Run,
            rcj::BindGather(
                xla::ffi::Ffi::Bind().Ctx<xla::ffi::ThreadPool>()));
